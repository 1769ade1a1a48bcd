package quickbooksbox

import (
	"net/http"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// problem is a refusal as QuickBooks words it.
type problem struct {
	status  int
	typ     string
	code    string
	message string
	detail  string
	element string
}

func invalid(code, message, detail, element string) *problem {
	return &problem{status: http.StatusBadRequest, typ: "ValidationFault", code: code, message: message, detail: detail, element: element}
}

// The refusals that several checks share.
func missingParam(element string) *problem {
	return invalid("2020", "Required param missing, need to supply the required value for the API",
		"Required parameter "+element+" is missing in the request", element)
}

func unsupported(property string) *problem {
	return invalid("2010", "Request has invalid or unsupported property",
		"Property Name:"+property+" specified is unsupported or invalid", property)
}

func badReference(element, id string) *problem {
	return invalid("2500", "Invalid Reference Id", "Invalid Reference Id : "+element+" element id "+id+" not found", element)
}

func notFound() *problem {
	return invalid("610", "Object Not Found", "Object Not Found : Something you're trying to use has been made inactive. Check the fields with accounts, customers, items, vendors or employees.", "")
}

func business(detail string) *problem {
	return invalid("6000", "A business validation error has occurred while processing your request",
		"Business Validation Error: "+detail, "")
}

// faultError is one error within a Fault.
type faultError struct {
	Message string `json:"Message"`
	Detail  string `json:"Detail,omitempty"`
	Code    string `json:"code"`
	Element string `json:"element,omitempty"`
}

type faultEnvelope struct {
	Fault struct {
		Error []faultError `json:"Error"`
		Type  string       `json:"type"`
	} `json:"Fault"`
	Time string `json:"time"`
}

func faultOf(code, message, detail, element string) faultEnvelope {
	var f faultEnvelope
	f.Fault.Type = "SERVICE"
	f.Fault.Error = []faultError{{Message: message, Detail: detail, Code: code, Element: element}}
	f.Time = time.Now().Format(timeLayout)
	return f
}

func writeFault(w http.ResponseWriter, status int, f faultEnvelope) { sandbox.JSON(w, status, f) }

func writeProblem(w http.ResponseWriter, p *problem) {
	f := faultOf(p.code, p.message, p.detail, p.element)
	f.Fault.Type = p.typ
	writeFault(w, p.status, f)
}

// writeUnauthorized answers as the gateway in front of QuickBooks does: with
// names in lower case, unlike every other fault.
func writeUnauthorized(w http.ResponseWriter) {
	sandbox.JSON(w, http.StatusUnauthorized, map[string]any{
		"warnings": nil, "intuitObject": nil, "requestId": nil, "status": nil,
		"fault": map[string]any{"type": "AUTHENTICATION", "error": []any{map[string]any{
			"message": "message=AuthenticationFailed; errorCode=003200; statusCode=401",
			"detail":  "Token expired", "code": "3200", "element": nil,
		}}},
		"time": time.Now().UnixMilli(),
	})
}

func writeThrottled(w http.ResponseWriter) {
	writeFault(w, http.StatusTooManyRequests, faultOf("3001",
		"message=ThrottleExceeded; errorCode=003001; statusCode=429", "The request limit was reached.  Try again later", ""))
}

// refuse answers the faults that are switched on.
func (b *Box) refuse(w http.ResponseWriter, r *http.Request, f sandbox.Fault) {
	atToken := r.URL.Path == TokenPath
	switch {
	case f.Kind == sandbox.FaultThrottle:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		writeThrottled(w)
	case f.Kind == sandbox.FaultExpire && atToken:
		writeOAuth(w, http.StatusUnauthorized, "invalid_client")
	case f.Kind == sandbox.FaultExpire:
		b.mu.Lock()
		clear(b.state.Access)
		b.mu.Unlock()
		writeUnauthorized(w)
	default:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		if atToken {
			writeOAuth(w, status, "server_error")
			return
		}
		e := faultOf("10000", "An application error has occurred while processing your request",
			"System Failure Error: the sandbox was told to fail", "")
		e.Fault.Type = "SystemFault"
		writeFault(w, status, e)
	}
}
