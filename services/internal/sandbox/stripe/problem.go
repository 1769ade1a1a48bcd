package stripebox

import (
	"net/http"
	"strconv"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// problem is an error as Stripe answers it.
type problem struct {
	Status  int    `json:"-"`
	Type    string `json:"type"`
	Code    string `json:"code,omitempty"`
	Param   string `json:"param,omitempty"`
	Message string `json:"message"`
	DocURL  string `json:"doc_url,omitempty"`
}

func (p *problem) write(w http.ResponseWriter) {
	if p.Type == "" {
		p.Type = "invalid_request_error"
	}
	if p.Status == 0 {
		p.Status = http.StatusBadRequest
	}
	if p.Code != "" {
		p.DocURL = "https://stripe.com/docs/error-codes/" + p.Code
	}
	sandbox.JSON(w, p.Status, map[string]any{"error": p})
}

func invalid(param, code, message string) *problem {
	return &problem{Param: param, Code: code, Message: message}
}

// noSuch is a missing object that the path names.
func noSuch(what, id string) *problem {
	p := noSuchParam(what, "id", id)
	p.Status = http.StatusNotFound
	return p
}

// noSuchParam is a missing object that a parameter names.
func noSuchParam(what, param, id string) *problem {
	return &problem{
		Status: http.StatusBadRequest, Param: param, Code: "resource_missing",
		Message: "No such " + what + ": '" + id + "'",
	}
}

// refuseFault writes Stripe's answer for an injected fault.
func refuseFault(w http.ResponseWriter, _ *http.Request, f sandbox.Fault) {
	w.Header().Set("Request-Id", newID("req"))
	switch f.Kind {
	case sandbox.FaultThrottle:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		tooMany().write(withReason(w))
	case sandbox.FaultExpire:
		(&problem{Status: http.StatusUnauthorized, Code: "api_key_expired", Message: "Expired API Key provided."}).write(w)
	default:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		p := &problem{Status: status, Message: "The sandbox was told to refuse this call."}
		if status >= http.StatusInternalServerError {
			p.Type, p.Message = "api_error", "An unknown error occurred."
		}
		p.write(w)
	}
}

func tooMany() *problem {
	return &problem{
		Status: http.StatusTooManyRequests, Code: "rate_limit",
		Message: "Request rate limit exceeded. You can learn more about rate limits at https://docs.stripe.com/rate-limits.",
	}
}

func withReason(w http.ResponseWriter) http.ResponseWriter {
	w.Header().Set("Stripe-Rate-Limited-Reason", "global-rate")
	return w
}
