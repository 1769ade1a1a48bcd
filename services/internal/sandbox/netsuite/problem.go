package netsuitebox

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// problem is what an error body says. It is an error itself, so that the
// steps of a write can return it.
type problem struct {
	Top    string // code at the top; the same as Code when empty
	Title  string // the status in words when empty
	Code   string
	Detail string
	Path   string // of a property
	Query  string // a query parameter
	Header string
	URL    string
	status int // 400 when 0
}

// Error implements error.
func (p problem) Error() string { return p.Code + ": " + p.Detail }

// fail writes NetSuite's error body.
func fail(w http.ResponseWriter, status int, p problem) {
	detail := map[string]string{"detail": p.Detail, "o:errorCode": p.Code}
	for name, v := range map[string]string{
		"o:errorPath": p.Path, "o:errorQueryParam": p.Query, "o:errorHeader": p.Header, "o:errorUrl": p.URL,
	} {
		if v != "" {
			detail[name] = v
		}
	}
	top := p.Top
	if top == "" {
		top = p.Code
	}
	title := p.Title
	if title == "" {
		title = http.StatusText(status)
	}
	w.Header().Set("Content-Type", "application/vnd.oracle.resource+json; type=error")
	sandbox.JSON(w, status, map[string]any{
		"type":  "https://www.rfc-editor.org/rfc/rfc9110.html#section-15",
		"title": title, "status": status,
		"o:errorCode": top, "o:errorDetails": []any{detail},
	})
}

// answer writes the error that a step of a call returned.
func answer(w http.ResponseWriter, err error) {
	p, ok := err.(problem) //nolint:errorlint // steps return it as it is
	if !ok {
		p = problem{Code: "UNEXPECTED_ERROR", Detail: err.Error(), status: http.StatusInternalServerError}
	}
	if p.status == 0 {
		p.status = http.StatusBadRequest
	}
	fail(w, p.status, p)
}

func denied(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `OAuth realm="", error="token_rejected"`)
	fail(w, http.StatusUnauthorized, problem{
		Code:   "INVALID_LOGIN",
		Detail: "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI.",
	})
}

// refuse answers for an injected fault.
func refuse(w http.ResponseWriter, r *http.Request, f sandbox.Fault) {
	switch f.Kind {
	case sandbox.FaultThrottle:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		fail(w, http.StatusTooManyRequests, problem{Top: "USER_ERROR", Code: "CONCURRENCY_LIMIT_EXCEEDED", Detail: "Concurrent request limit exceeded. Request blocked."})
	case sandbox.FaultExpire:
		if r.URL.Path == tokenPath {
			denyToken(w, http.StatusUnauthorized, "invalid_client")
			return
		}
		denied(w)
	default:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		fail(w, status, problem{Code: "UNEXPECTED_ERROR", Detail: "An unexpected error occurred. Error ID: sandbox"})
	}
}

// limited reports whether a path counts against the limit of calls at once.
func limited(path string) bool {
	for _, service := range []string{"/record/", "/query/", "/async/"} {
		if strings.HasPrefix(path, restRoot+service) {
			return true
		}
	}
	return false
}
