package receiver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// The codes of refusals. They are part of the interface: callers and alerts
// rely on them.
const (
	codeStored       = "stored" // no refusal
	codeMalformed    = "malformed"
	codeInvalid      = "invalid" // well-formed, but not what the schema says
	codeUnauthorized = "unauthorized"
	codeNotFound     = "not_found"
	codeMethod       = "method_not_allowed"
	codeTooLarge     = "too_large"
	codeMediaType    = "unsupported_media_type"
	codeInternal     = "internal"
	codeFull         = "store_full"
	codeBusy         = "busy"
	codeUnavailable  = "unavailable"
)

var statuses = map[string]int{
	codeMalformed: http.StatusBadRequest, codeInvalid: http.StatusBadRequest,
	codeUnauthorized: http.StatusUnauthorized, codeNotFound: http.StatusNotFound,
	codeMethod: http.StatusMethodNotAllowed, codeTooLarge: http.StatusRequestEntityTooLarge,
	codeMediaType: http.StatusUnsupportedMediaType, codeInternal: http.StatusInternalServerError,
	codeFull: http.StatusServiceUnavailable, codeBusy: http.StatusServiceUnavailable,
	codeUnavailable: http.StatusServiceUnavailable,
}

// problemBase is the prefix of problem types.
const problemBase = "https://spoke-sync.github.io/problems/"

// refusal is why a request was not accepted.
type refusal struct {
	code   string
	detail string
	field  string
	hint   string
	// index of the event at fault in a batch; -1 outside of batches.
	index int
	// fields lists every field at fault, when there are several.
	fields []fieldProblem
	// bearer asks for a token.
	bearer bool
	after  time.Duration
	// cause is for the log.
	cause error
}

type fieldProblem struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

func refuse(code, detail string) *refusal { return &refusal{code: code, detail: detail, index: -1} }

func (p *refusal) status() int { return statuses[p.code] }

// at returns p about the event with that index of a batch.
func (p *refusal) at(index int) *refusal { p.index = index; return p }

func (p *refusal) because(err error) *refusal { p.cause = err; return p }

func (p *refusal) advise(hint string) *refusal { p.hint = hint; return p }

// refuseField is a refusal about one attribute or field.
func refuseField(field, detail, hint string) *refusal {
	return &refusal{code: codeInvalid, detail: field + " " + detail, field: field, hint: hint, index: -1}
}

// refuseFields makes a refusal of the errors of events.Canonical. They hold
// paths and remedies, no values.
func refuseFields(err error) *refusal {
	p := refuse(codeInvalid, err.Error())
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		var f *events.FieldError
		if errors.As(e, &f) {
			p.fields = append(p.fields, fieldProblem{strings.TrimSuffix("data."+f.Path, "."), f.Problem, f.Hint})
		}
	}
	if len(p.fields) > 0 {
		first := p.fields[0]
		p.detail, p.field, p.hint = first.Field+" "+first.Detail, first.Field, first.Hint
	}
	return p
}

// refuseFault makes a refusal of a connector's verdict on a webhook.
func refuseFault(err error) *refusal {
	e := fault.As(err)
	p := &refusal{detail: err.Error(), field: e.Field, hint: e.Hint, index: -1, cause: err}
	switch e.Kind {
	case fault.Unauthorized:
		p.code = codeUnauthorized
	case fault.Malformed, fault.Rejected:
		p.code = codeMalformed
	case fault.Transient, fault.Unavailable, fault.Throttled:
		p.code, p.after = codeUnavailable, retryUnavailable
	default: // the caller can do nothing about it, and need not know more
		p.code, p.detail = codeInternal, "this is a bug in Spoke, or in the settings of the connection"
	}
	return p
}

// problem is the answer by RFC 9457.
type problem struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail,omitempty"`
	Instance string         `json:"instance"`
	Code     string         `json:"code"`
	Field    string         `json:"field,omitempty"`
	Index    *int           `json:"index,omitempty"`
	Hint     string         `json:"hint,omitempty"`
	Errors   []fieldProblem `json:"errors,omitempty"`
}

func writeProblem(w http.ResponseWriter, req *http.Request, p *refusal) {
	status := p.status()
	body := problem{
		Type: problemBase + p.code, Title: http.StatusText(status), Status: status, Detail: p.detail,
		Instance: req.URL.EscapedPath(), Code: p.code, Field: p.field, Hint: p.hint, Errors: p.fields,
	}
	if p.index >= 0 {
		body.Index = &p.index
	}
	h := w.Header()
	if p.bearer {
		h.Set("WWW-Authenticate", `Bearer realm="spoke"`)
	}
	if p.code == codeMethod {
		h.Set("Allow", http.MethodPost)
	}
	if p.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.after.Seconds())))
	}
	writeJSON(w, status, "application/problem+json", body)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a caller that has gone is no concern
}
