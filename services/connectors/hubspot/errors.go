package hubspot

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// problem is HubSpot's error body. Every field is optional, and some change
// their form between calls.
type problem struct {
	Status        string                     `json:"status"`
	Message       string                     `json:"message"`
	Category      string                     `json:"category"`
	SubCategory   json.RawMessage            `json:"subCategory"`
	CorrelationID string                     `json:"correlationId"`
	PolicyName    string                     `json:"policyName"`
	ErrorType     string                     `json:"errorType"`
	Context       map[string]json.RawMessage `json:"context"`
	Errors        []struct {
		Message     string                     `json:"message"`
		Code        string                     `json:"code"`
		SubCategory json.RawMessage            `json:"subCategory"`
		Context     map[string]json.RawMessage `json:"context"`
	} `json:"errors"`
}

// Categories and codes that decide.
const (
	categoryNotFound  = "OBJECT_NOT_FOUND"
	categoryScopes    = "MISSING_SCOPES"
	categoryConflict  = "CONFLICT"
	codeNoSuch        = "PROPERTY_DOESNT_EXIST"
	codeNoAssociation = "NO_ASSOCIATIONS_FOUND"
	policyDaily       = "DAILY"
	policyTenSecondly = "TEN_SECONDLY_ROLLING"
)

// parseProblem reads an error body. ok is false when it is not HubSpot's.
func parseProblem(body []byte) (p problem, ok bool) {
	if json.Unmarshal(body, &p) != nil {
		return problem{}, false
	}
	return p, p.Status == "error" || p.Category != "" || p.CorrelationID != "" || p.ErrorType != ""
}

// texts reads a context value: a text or a list of texts.
func texts(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

// invalid is one property that was refused.
type invalid struct {
	Name string `json:"name"`
	Code string `json:"error"`
}

// invalids collects the refused properties, both from the list of errors and
// from the older form, a list of JSON within the message.
func (p problem) invalids() []invalid {
	var all []invalid
	for _, e := range p.Errors {
		names := append(texts(e.Context["propertyName"]), texts(e.Context["propertyNames"])...)
		for _, name := range names {
			all = append(all, invalid{name, e.Code})
		}
	}
	if i := strings.Index(p.Message, "[{"); len(all) == 0 && i >= 0 {
		// What follows the list is of no interest.
		_ = json.NewDecoder(strings.NewReader(p.Message[i:])).Decode(&all)
	}
	return slices.DeleteFunc(all, func(v invalid) bool { return !propertyName(v.Name) })
}

// existingForm is how HubSpot names the record that has a unique value already.
var existingForm = regexp.MustCompile(`Existing ID: (\d{1,20})`)

func (p problem) existing() string {
	if m := existingForm.FindStringSubmatch(p.Message); m != nil {
		return m[1]
	}
	return ""
}

// code is the most telling code of the problem. HubSpot's texts never are
// passed on: they quote values.
func (p problem) code() string {
	for _, v := range p.invalids() {
		if isCode(v.Code) {
			return v.Code
		}
	}
	for _, e := range p.Errors {
		if isCode(e.Code) {
			return e.Code
		}
	}
	for _, c := range append(texts(p.SubCategory), p.Category, p.ErrorType) {
		if isCode(c) {
			return c
		}
	}
	return ""
}

func isCode(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	})
}

// scopes names the missing scopes.
func (p problem) scopes() []string {
	var all []string
	for _, e := range p.Errors {
		for _, key := range []string{"requiredGranularScopes", "requiredScopes", "missingScopes"} {
			all = append(all, texts(e.Context[key])...)
		}
	}
	return slices.Compact(slices.DeleteFunc(all, func(s string) bool { return !isCode(s) }))
}

// refusal is the cause of a fault that HubSpot gave a reason for.
type refusal struct {
	status      int
	code        string
	correlation string
	invalid     []invalid
	// existing is the id of the record that stands in the way, where the
	// problem tells it.
	existing string
}

// Error names status and codes.
func (r *refusal) Error() string {
	text := fmt.Sprintf("HubSpot answered %d", r.status)
	if r.code != "" {
		text += " " + r.code
	}
	if isCode(r.correlation) {
		text += ", correlation id " + r.correlation
	}
	return text
}

// refused turns an answer that is no success into a fault.
func (a *api) refused(r rest.Request, resp *rest.Response) *fault.Error {
	p, ok := parseProblem(resp.Body)
	if !ok {
		return unread(r, resp)
	}
	e := p.fault(r.Op, resp.Status)
	switch resp.Status {
	case http.StatusTooManyRequests:
		return e.After(a.throttle(p, resp.Header))
	case http.StatusLocked:
		return e.After(max(lockedWait, rest.RetryAfter(resp.Header, a.now())))
	}
	return e.After(rest.RetryAfter(resp.Header, a.now()))
}

// statusMigrating is HubSpot's own: the account is being moved to another
// data center, for up to a day.
const statusMigrating = 477

// fault judges a problem. Entries of a 207 answer have no status; they come
// with the status they would have had alone.
func (p problem) fault(op string, status int) *fault.Error {
	cause := &refusal{status: status, code: p.code(), correlation: p.CorrelationID, invalid: p.invalids(), existing: p.existing()}
	e := (&fault.Error{Op: op, Err: cause}).WithCode(cause.code)
	switch {
	case status == http.StatusTooManyRequests:
		e.Kind = fault.Throttled
	case status == http.StatusLocked:
		e.Kind = fault.Transient
	case status == http.StatusUnauthorized:
		e.Kind = fault.Unauthorized
		e.Hint = "HubSpot does not accept the token: check that it was not revoked or rotated, and enter the new one"
	case status == http.StatusForbidden:
		e.Kind = fault.Unauthorized
		e.Hint = p.scopeHint()
	case status == http.StatusNotFound:
		e.Kind, e.Code = fault.Rejected, categoryNotFound
		e.Hint = "the record was deleted in HubSpot: restore it there, or drop the document"
	case status == http.StatusConflict:
		e.Kind = fault.Conflict
	case status == http.StatusServiceUnavailable, status == statusMigrating:
		e.Kind = fault.Unavailable
	case status >= 500:
		e.Kind = fault.Transient
	default:
		e.Kind = fault.Rejected
		e.Hint = p.hint()
		if len(cause.invalid) > 0 {
			e.Field = cause.invalid[0].Name
		}
	}
	return e
}

// likelyStatus is the status that a problem comes with.
func (p problem) likelyStatus() int {
	switch p.Category {
	case "VALIDATION_ERROR":
		return http.StatusBadRequest
	case categoryNotFound:
		return http.StatusNotFound
	case categoryScopes:
		return http.StatusForbidden
	case "INVALID_AUTHENTICATION", "EXPIRED_AUTHENTICATION":
		return http.StatusUnauthorized
	case categoryConflict:
		return http.StatusConflict
	case "RATE_LIMITS":
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

func (p problem) scopeHint() string {
	if p.Category != categoryScopes {
		return "HubSpot forbids the call: check the permissions of the token's app"
	}
	if s := p.scopes(); len(s) > 0 {
		return "grant the app the scope " + strings.Join(s, " or ") + " in HubSpot"
	}
	return "grant the app the scopes for reading and writing CRM records in HubSpot"
}

// hint says what mends a refused property.
func (p problem) hint() string {
	switch code := p.code(); {
	case code == codeNoSuch:
		return "create the property in HubSpot under this internal name, or mend the flow"
	case strings.HasPrefix(code, "MISSING_") && strings.Contains(code, "REQUIRED_PROPERT"):
		return "the portal's own rules require this property: fill it in at the record, or relax the rule in HubSpot's settings"
	case strings.HasPrefix(code, "READ_ONLY"):
		return "HubSpot sets this property itself: take it out of the flow"
	case code == "INVALID_OPTION":
		return "the property has a fixed list of options: add this one in HubSpot, or mend the flow"
	case strings.Contains(p.Message, "Edit Associations"):
		return "the user behind the token lacks the permission to edit associations: have it granted in HubSpot"
	}
	return "mend the flow's expression for the property, or the property's rules in HubSpot"
}

// unread judges an answer whose body is not HubSpot's. A "not found" that
// HubSpot did not say must never pass for a deleted record.
func unread(r rest.Request, resp *rest.Response) *fault.Error {
	page := garbled(r.Op, resp.Status)
	switch s := resp.Status; {
	case s >= 500, s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusTooManyRequests:
		return rest.Classify(r, resp, "without HubSpot's own error body").WithHint(page.Hint)
	}
	return page
}

// throttle is how long the spent limit lasts. HubSpot promises no Retry-After.
func (a *api) throttle(p problem, h http.Header) time.Duration {
	wait := rest.RetryAfter(h, a.now())
	switch {
	case p.PolicyName == policyDaily, h.Get("X-HubSpot-RateLimit-Daily-Remaining") == "0":
		return max(wait, min(a.untilMidnight(), dailyWait))
	case p.PolicyName == policyTenSecondly:
		return max(wait, tenSecondWait)
	case wait > 0:
		return wait
	case strings.Contains(strings.ToLower(p.Message), " secondly"), p.PolicyName == "SECONDLY":
		return secondWait // as for searches
	}
	return tenSecondWait
}

// untilMidnight is when daily limits begin anew: at midnight of the portal.
func (a *api) untilMidnight() time.Duration {
	now := a.now().In(a.zone)
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, a.zone).Sub(now)
}

// missingScope reports that the token may not see a type at all.
func missingScope(err error) bool {
	return fault.Is(err, fault.Unauthorized) && fault.As(err).Code == categoryScopes
}
