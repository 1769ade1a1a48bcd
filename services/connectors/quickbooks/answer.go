package quickbooks

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// The codes that Intuit puts into a Fault and that mean something to us.
const (
	codeToken      = "3200" // access token bad or expired
	codeUser       = "120"  // the user who connected lost access
	codeApp        = "3100" // the app is not allowed
	codeLapsed     = "6190" // the subscription has ended
	codeThrottled  = "3001"
	codeThrottled0 = "003001"
	codeEncoding   = "500"
	codeProperty   = "2010"
	codeMissing    = "2020"
	codeLength     = "2050"
	codeEnum       = "2170"
	codeReference  = "2500"
	codeQuery      = "4001"
	codeStale      = "5010"
	codeBusiness   = "6000"
	codeAmount     = "6070"
	codeDocNumber  = "6140"
	codeClosed     = "6210"
	codeName       = "6240"
	codeDeposited  = "6540"
	codeNotFound   = "610"
	codeServer     = "10000" // of a status that says more
)

// meaning is what a code calls for.
type meaning struct {
	kind fault.Kind
	hint string
}

// meanings lists every code that is told by itself rather than by the status
// of its answer, which Intuit does not keep to.
func meanings(connection string) map[string]meaning {
	refused := "Intuit refuses the credentials: " + reconnect(connection)
	return map[string]meaning{
		codeToken:      {fault.Unauthorized, refused},
		codeUser:       {fault.Unauthorized, "the user who connected the company has lost access: as an administrator " + reconnect(connection)},
		codeApp:        {fault.Unauthorized, "the Intuit app is not allowed for this company: check its keys, its environment and realm_id"},
		codeLapsed:     {fault.Unauthorized, "the company's QuickBooks subscription has lapsed"},
		codeThrottled:  {fault.Throttled, ""},
		codeThrottled0: {fault.Throttled, ""},
		codeEncoding:   {fault.Rejected, "a text holds characters that QuickBooks can't store; companies in the United States take Western European ones only"},
		codeProperty:   {fault.Rejected, "a property is unknown to QuickBooks or has a value it can't read"},
		codeMissing:    {fault.Rejected, "fill in the field, or map it in the flow"},
		codeLength:     {fault.Rejected, "shorten the text"},
		codeEnum:       {fault.Rejected, "the value is none of those QuickBooks allows"},
		codeReference:  {fault.Rejected, "the object referred to does not exist in QuickBooks or is inactive"},
		codeNotFound:   {fault.Rejected, "the object was deleted or made inactive in QuickBooks"},
		codeQuery:      {fault.Internal, ""},
		codeStale:      {fault.Conflict, ""},
		codeBusiness:   {fault.Rejected, "QuickBooks refuses this by one of its business rules: see the message"},
		codeAmount:     {fault.Internal, "the line's amount is not its quantity times its price"},
		codeDocNumber:  {fault.Rejected, "another transaction has this number: give the flow another DocNumber or renumber that one"},
		codeClosed:     {fault.Rejected, "the books are closed for this date: reopen the period or enter it by hand; dates are never moved"},
		codeName:       {fault.Rejected, "a customer, vendor or employee already has this name"},
		codeDeposited:  {fault.Rejected, "the payment is part of a bank deposit: take it out of the deposit first"},
	}
}

// faultBody is an error as Intuit writes it: "Fault" with upper-case members,
// or "fault" with lower-case ones where credentials are refused. Decoding
// does not tell them apart.
type faultBody struct {
	Fault *struct {
		Error []faultError `json:"Error"`
		Type  string       `json:"type"`
	} `json:"Fault"`
}

type faultError struct {
	Code    string `json:"code"`
	Message string `json:"Message"`
	Detail  string `json:"Detail"`
	Element string `json:"element"`
}

// judge turns an answer into a fault, or nil when it is a success. Any answer
// may hold a Fault, whatever its status.
func judge(r rest.Request, resp *rest.Response, connection string) *fault.Error {
	var b faultBody
	readable := json.Unmarshal(resp.Body, &b) == nil
	switch {
	case readable && b.Fault != nil:
		return b.judge(r, resp, connection)
	case !resp.OK():
		e := rest.Classify(r, resp, "")
		if e.Kind == fault.Unauthorized {
			return e.WithHint(meanings(connection)[codeToken].hint)
		}
		return throttled(e)
	case !readable:
		return unreadable(r)
	}
	return nil
}

// judge turns a Fault, of an answer or of one item of a batch, into ours.
func (b faultBody) judge(r rest.Request, resp *rest.Response, connection string) *fault.Error {
	var first faultError
	if len(b.Fault.Error) > 0 {
		first = b.Fault.Error[0]
	}
	return known(r, resp, first, b.Fault.Type, connection)
}

// unreadable is a success of which the content got lost. With its request id
// the call can be made again.
func unreadable(r rest.Request) *fault.Error {
	kind := fault.Ambiguous
	if r.Safe {
		kind = fault.Transient
	}
	return fault.New(kind, r.Op, "the answer is not what QuickBooks gives")
}

func known(r rest.Request, resp *rest.Response, first faultError, typ, connection string) *fault.Error {
	e := rest.Classify(r, resp, describe(first, resp.Header))
	switch m, ok := meanings(connection)[first.Code]; {
	case ok:
		e.Kind = m.kind
		e = e.WithHint(m.hint)
	case resp.Status < http.StatusInternalServerError && first.Code == codeServer, resp.OK():
		e.Kind = kindOfType(r, typ)
	}
	if e.Kind == fault.Unauthorized && e.Hint == "" {
		e = e.WithHint(meanings(connection)[codeToken].hint)
	}
	if code := first.Code; len(code) <= 10 {
		e = e.WithCode(code)
	}
	if len(first.Element) <= 60 {
		e = e.WithField(scrub(first.Element))
	}
	return throttled(e)
}

// kindOfType judges a Fault with an unknown code in an answer whose status
// says nothing. AuthorizatonFault is Intuit's own spelling.
func kindOfType(r rest.Request, typ string) fault.Kind {
	switch {
	case strings.HasPrefix(typ, "Authentication"), strings.HasPrefix(typ, "Authoriz"):
		return fault.Unauthorized
	case typ == "ValidationFault":
		return fault.Rejected
	case r.Safe:
		return fault.Transient
	default:
		return fault.Ambiguous
	}
}

func throttled(e *fault.Error) *fault.Error {
	if e.Kind != fault.Throttled {
		return e
	}
	return e.After(max(e.RetryAfter, throttleWait))
}

// maxDetail bounds Intuit's text within an error.
const maxDetail = 300

// describe is Intuit's own text with the id under which its support finds the
// call.
func describe(f faultError, h http.Header) string {
	text := f.Message
	if f.Detail != "" && f.Detail != f.Message {
		text = strings.TrimSuffix(text, ".") + ": " + f.Detail
	}
	text = scrub(text)
	if r := []rune(text); len(r) > maxDetail {
		text = string(r[:maxDetail]) + "…"
	}
	if f.Code != "" && len(f.Code) <= 10 {
		text = "code " + f.Code + " " + text
	}
	if tid := h.Get("intuit_tid"); tid != "" && len(tid) <= 80 {
		text += " (intuit_tid " + scrub(tid) + ")"
	}
	return text
}

// quoted and address match what a fault repeats of an object's content.
var (
	quoted  = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	address = regexp.MustCompile(`[^\s<>,;:()]+@[^\s<>,;:()]+`)
)

// scrub takes values and mail addresses out of Intuit's text, which ends in
// logs, and line breaks with them.
func scrub(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' }), " ")
	text = address.ReplaceAllString(text, "[address]")
	return quoted.ReplaceAllString(text, "[value]")
}
