package netsuite

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// NetSuite's error codes that decide what follows. Other 4xx codes mean that
// the content is refused. The text of an error is in the integration user's
// language, so it decides nothing.
const (
	codeMissing     = "NONEXISTENT_ID"
	codeGone        = "RCRD_DSNT_EXIST"
	codeConcurrency = "CONCURRENCY_LIMIT_EXCEEDED"
	codeRestlet     = "SSS_REQUEST_LIMIT_EXCEEDED" // RESTlets say it with a 400
	codeChanged     = "RCRD_HAS_BEEN_CHANGED"
	codeDuplicate   = "DUP_RCRD"
	codeEntityName  = "DUP_ENTITY"
	codeEntityID    = "UNIQUE_CUST_ID_REQD"
	codeKeyOrRef    = "INVALID_KEY_OR_REF"
	codeRequired    = "FIELD_PARAM_REQD"
	codePermission  = "INSUFFICIENT_PERMISSION"
	codeLogin       = "INVALID_LOGIN"
	codeItemName    = "DUP_ITEM"
	codeRepeated    = "IDEMPOTENCY_ERROR" // an asynchronous call that is known already
)

// problem is the part of an error answer that is used.
type problem struct {
	Title string
	Code  string // the most specific one
	Path  string // of the property at fault, such as item.items[0].item
	Text  string

	status int
	codes  []string
}

// statusOr is the status in the body, or another one where it has none.
func (p problem) statusOr(other int) int {
	if p.status < http.StatusBadRequest || p.status > 599 {
		return other
	}
	return p.status
}

func (p problem) has(codes ...string) bool {
	for _, c := range codes {
		for _, have := range p.codes {
			if have == c {
				return true
			}
		}
	}
	return false
}

const maxProblemText = 300

// detail is one of the errors that an answer names.
type detail struct {
	Detail string `json:"detail"`
	Code   string `json:"o:errorCode"`
	Path   string `json:"o:errorPath"`
	Query  string `json:"o:errorQueryParam"`
	Header string `json:"o:errorHeader"`
	// Oracle's help and its API browser name it differently.
	URLPath string `json:"o:urlPath"`
	URL     string `json:"o:errorUrl"`
}

func (d detail) at() string { return first(d.Path, d.Query, d.Header, d.URLPath, d.URL) }

// maxDetails is how many of an answer's errors are told.
const maxDetails = 3

// parseProblem reads an error body. ok is false when it is not NetSuite's:
// then some proxy speaks, which knows nothing of records. Of several errors the
// first that names a property leads; the texts of the others follow it.
func parseProblem(body []byte) (p problem, ok bool) {
	var in struct {
		Title   string          `json:"title"`
		Status  json.RawMessage `json:"status"`
		Code    string          `json:"o:errorCode"`
		Details []detail        `json:"o:errorDetails"`
	}
	if json.Unmarshal(body, &in) != nil || (in.Code == "" && len(in.Details) == 0) {
		return problem{}, false
	}
	p = problem{Title: in.Title, Code: in.Code, Text: in.Title}
	p.status, _ = strconv.Atoi(string(in.Status)) // of another form: none
	if in.Code != "" {
		p.codes = append(p.codes, in.Code)
	}
	for _, d := range in.Details {
		if d.Code != "" {
			p.codes = append(p.codes, d.Code)
		}
	}
	if len(in.Details) > 0 {
		lead := max(slices.IndexFunc(in.Details, func(d detail) bool { return d.Path != "" }), 0)
		d := in.Details[lead]
		p.Path, p.Code, p.Text = d.at(), first(d.Code, p.Code), first(d.Detail, p.Text)
		for i, other := range in.Details[:min(len(in.Details), maxDetails)] {
			if i != lead && other.Detail != "" {
				p.Text += "; " + other.Detail
			}
		}
	}
	p.Text, p.Path, p.Code = clean(p.Text), flowField(clean(p.Path)), clean(p.Code)
	return p, true
}

var (
	itemsPart = regexp.MustCompile(`\.items\[(\d+)\]`)
	addressOf = regexp.MustCompile(`^addressBook(?:\[\d+\])?\.addressBookAddress\.(\w+)$`)
)

// flowField is the name of a property in a flow: item.items[0].rate is
// item[0].rate there, and the parts of the billing address have names of their
// own.
func flowField(path string) string {
	path = itemsPart.ReplaceAllString(strings.TrimPrefix(path, "$."), "[$1]")
	if m := addressOf.FindStringSubmatch(path); m != nil {
		return "bill" + strings.ToUpper(m[1][:1]) + m[1][1:]
	}
	return path
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

var mail = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+`)

// clean makes a text of NetSuite's fit for logs: one line, bounded, and
// without the mail addresses that it likes to quote.
func clean(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	s = mail.ReplaceAllString(s, "(address)")
	if r := []rune(s); len(r) > maxProblemText {
		s = string(r[:maxProblemText]) + "…"
	}
	return s
}

// refused turns an answer without success into a fault. hide are values that
// must not show, such as a phone number that NetSuite quotes.
func refused(r rest.Request, resp *rest.Response, hide []string) *fault.Error {
	p, ok := parseProblem(resp.Body)
	if !ok {
		return foreign(r, resp)
	}
	for _, v := range hide {
		p.Text = strings.ReplaceAll(p.Text, v, "(value)")
	}
	f := rest.Classify(r, resp, p.Text).WithField(p.Path).WithCode(p.Code)
	switch {
	case resp.Status == http.StatusUnauthorized:
		f = f.WithHint(unauthorizedHint)
	case resp.Status >= http.StatusInternalServerError:
		// The status says enough; the record's fate is not known.
	case p.has(codeConcurrency, codeRestlet):
		f.Kind = fault.Throttled
	case resp.Status == http.StatusForbidden, p.has(codePermission):
		f.Kind = fault.Unauthorized
		f = f.WithHint("give the integration's role the permission for this record type in NetSuite")
	case p.has(codeChanged, codeDuplicate):
		// Someone else was quicker: read theirs, then apply on it.
		f.Kind = fault.Conflict
	case f.Kind == fault.Rejected:
		f = f.WithHint(hint(p, resp.Status))
	}
	return f
}

// foreign is an error answer that NetSuite's REST services did not write. It
// says nothing about the document, which must therefore not be set apart.
func foreign(r rest.Request, resp *rest.Response) *fault.Error {
	f := rest.Classify(r, resp, "")
	switch {
	case resp.Status == http.StatusUnauthorized:
		return f.WithHint(unauthorizedHint)
	case f.Kind == fault.Rejected || f.Kind == fault.Conflict:
		f.Kind = fault.Unavailable
		return f.WithHint("the answer is not NetSuite's: check the connection's url")
	}
	return f
}

// hint says what a person can do about refused content.
func hint(p problem, status int) string {
	text := strings.ToLower(p.Text)
	switch {
	case p.has(codeEntityName, codeEntityID):
		return "NetSuite holds another entity of this name: give one of them another name or number"
	case p.has(codeItemName):
		return "NetSuite holds another item of this name: give one of them another SKU"
	case strings.Contains(text, "inactive"):
		return "what this field refers to is inactive: make it active in NetSuite, or change the field at its source"
	case strings.Contains(text, "currency"):
		return "the amount's currency does not fit: add the currency in NetSuite, to the account or to the customer, or change it at its source"
	case strings.Contains(text, "period") && (strings.Contains(text, "closed") || strings.Contains(text, "locked")):
		return "the accounting period is closed: open it in NetSuite or change the date"
	case p.has(codeKeyOrRef):
		return "what this field refers to is gone or may not be used: restore it in NetSuite or change the mapping"
	case p.has(codeRequired):
		return "the account requires this field: add it to the mapping"
	case status == http.StatusNotFound || p.has(codeMissing, codeGone):
		return "the object was deleted in NetSuite: restore it there, or drop this document"
	default:
		return "change the value at its source or the mapping of the field, then release the document"
	}
}
