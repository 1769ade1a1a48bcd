package hubspotbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// detail is one element of an error body's list.
type detail struct {
	Message string              `json:"message"`
	Code    string              `json:"code,omitempty"`
	Context map[string][]string `json:"context,omitempty"`
}

// problem is HubSpot's error body.
type problem struct {
	Status        string              `json:"status"`
	Message       string              `json:"message"`
	CorrelationID string              `json:"correlationId,omitempty"`
	Category      string              `json:"category,omitempty"`
	SubCategory   string              `json:"subCategory,omitempty"`
	Context       map[string][]string `json:"context,omitempty"`
	Errors        []detail            `json:"errors,omitempty"`
	ErrorType     string              `json:"errorType,omitempty"`
	PolicyName    string              `json:"policyName,omitempty"`
}

// The categories of problems.
const (
	validation = "VALIDATION_ERROR"
	notFound   = "OBJECT_NOT_FOUND"
)

func (b *Box) fail(w http.ResponseWriter, status int, p problem) {
	p.Status = "error"
	p.CorrelationID = b.correlationID()
	sandbox.JSON(w, status, p)
}

func (b *Box) unauthorized(w http.ResponseWriter) {
	b.fail(w, http.StatusUnauthorized, problem{
		Category: "INVALID_AUTHENTICATION",
		Message:  "Authentication credentials not found. This API supports OAuth 2.0 authentication and private app access tokens.",
	})
}

// missing is the answer for a single record that is not there. HubSpot names
// no category in it.
func (b *Box) missing(w http.ResponseWriter) {
	b.fail(w, http.StatusNotFound, problem{Message: "resource not found"})
}

// missingInBatch is the entry of a batch for records that are not there.
func missingInBatch(t *objectType, ids, traces []string) problem {
	p := problem{
		Status: "error", Category: notFound,
		Message: "Could not get some " + t.name + " objects, they may be deleted or not exist. Check that ids are valid.",
		Context: map[string][]string{"ids": ids},
	}
	if len(traces) > 0 {
		p.Context["objectWriteTraceId"] = traces
	}
	return p
}

// invalid is one property that is not accepted.
type invalid struct {
	IsValid bool   `json:"isValid"`
	Message string `json:"message"`
	Error   string `json:"error"`
	Name    string `json:"name"`
	Portal  int64  `json:"portalId,omitempty"`
}

// invalidProblem is the body for properties that are not accepted: a list of
// errors, and the same again as JSON within the message.
func invalidProblem(all []invalid) problem {
	list, _ := json.Marshal(all) // plain texts always have a form
	p := problem{Category: validation, Message: "Property values were not valid: " + string(list)}
	for _, v := range all {
		p.Errors = append(p.Errors, detail{
			Message: v.Message, Code: v.Error, Context: map[string][]string{"propertyName": {v.Name}},
		})
	}
	return p
}

func notFoundPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("<html><head><title>Error 404 Not Found</title></head><body><h2>HTTP ERROR 404</h2></body></html>"))
}

// refuse answers injected faults.
func (b *Box) refuse(w http.ResponseWriter, _ *http.Request, f sandbox.Fault) {
	switch f.Kind {
	case sandbox.FaultThrottle:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		b.throttled(w, "TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")
	case sandbox.FaultExpire:
		b.unauthorized(w)
	default:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		b.fail(w, status, problem{Message: fmt.Sprintf("injected %d", status), Category: categoryOf(status)})
	}
}

func categoryOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return validation
	case http.StatusForbidden:
		return "MISSING_SCOPES"
	case http.StatusConflict:
		return "CONFLICT"
	}
	return ""
}
