package stripe

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// Stripe's codes and types that decide something.
const (
	codeMissing     = "resource_missing"
	codeExists      = "resource_already_exists"
	codeLock        = "lock_timeout"
	codeCurrency    = "currency_not_supported"
	codeKeyInUse    = "idempotency_key_in_use"
	typeIdempotency = "idempotency_error"
)

// maxDetail bounds how much of Stripe's text goes into an error.
const maxDetail = 200

// refusal is the body of an answer that is no success.
type refusal struct {
	Error struct {
		Type        string `json:"type"`
		Code        string `json:"code"`
		DeclineCode string `json:"decline_code"`
		Param       string `json:"param"`
		Message     string `json:"message"`
	} `json:"error"`
}

// problem turns an answer that is no success into a fault.
func problem(r rest.Request, resp *rest.Response) *fault.Error {
	var body refusal
	if json.Unmarshal(resp.Body, &body) != nil || body.Error.Type == "" {
		return foreign(r, resp)
	}
	e := body.Error
	code := e.Code
	if code == "" || (e.Type == typeIdempotency && code != codeKeyInUse) {
		code = e.Type
	}
	detail := code
	// What Stripe says of a refused key repeats parts of the key.
	if resp.Status != http.StatusUnauthorized && e.Message != "" {
		detail = code + ": " + clean(e.Message)
	}
	f := fault.New(kindOf(resp, code), r.Op, "%d %s", resp.Status, detail).
		WithCode(code).WithField(e.Param).After(rest.RetryAfter(resp.Header, time.Now()))
	return f.WithHint(hint(resp, code, e.DeclineCode))
}

// foreign is an answer that is not Stripe's: of a proxy, or of another server
// behind a wrong url.
func foreign(r rest.Request, resp *rest.Response) *fault.Error {
	f := rest.Classify(r, resp, "answer is not Stripe's")
	if f.Kind == fault.Rejected || f.Kind == fault.Internal {
		f.Kind = fault.Unavailable // it says nothing about the request
	}
	return f.WithHint("check the connection's url, and proxies on the way to it")
}

// kindOf decides by status and code; Stripe-Should-Retry outranks both.
func kindOf(resp *rest.Response, code string) fault.Kind {
	again := resp.Header.Get("Stripe-Should-Retry")
	switch s := resp.Status; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return fault.Unauthorized
	case code == codeLock, code == codeKeyInUse:
		return fault.Transient // another call works on the same object
	case s == http.StatusTooManyRequests:
		return fault.Throttled
	case code == typeIdempotency:
		return fault.Conflict // the key stood for other content: look, then decide
	case s == http.StatusServiceUnavailable:
		return fault.Unavailable
	case s >= 500 && again == "false":
		return fault.Ambiguous // a repetition would be answered alike: look first
	case s >= 500, again == "true":
		return fault.Transient
	case s == http.StatusConflict:
		return fault.Conflict
	default:
		return fault.Rejected
	}
}

// hint says what a person can do. The request id finds the call in Stripe's
// own logs.
func hint(resp *rest.Response, code, decline string) string {
	var text string
	switch {
	case resp.Status == http.StatusUnauthorized:
		text = "the key is refused: set a valid one of this account"
	case resp.Status == http.StatusForbidden:
		text = "the restricted key lacks a permission: add it in Stripe's dashboard"
	case code == codeMissing:
		text = "Stripe does not have this object: it was deleted there, or belongs to another account or mode"
	case code == codeCurrency:
		text = "this account does not take the currency: choose another account for it with the flow's route, or add the currency in Stripe"
	case code == typeIdempotency:
		text = "an earlier call with this idempotency key had other content"
	case resp.Status == http.StatusTooManyRequests:
		text = "lower the connection's rate, or ask Stripe for a higher limit"
		if which := resp.Header.Get("Stripe-Rate-Limited-Reason"); which != "" {
			text += " (" + clean(which) + ")"
		}
	case decline != "":
		text = "declined: " + clean(decline)
	case resp.Status == http.StatusBadRequest:
		text = "correct the value at its source"
	}
	id := resp.Header.Get("Request-Id")
	if id == "" {
		return text
	}
	if text != "" {
		text += "; "
	}
	return text + "Stripe's request " + clean(id)
}

// clean takes words out of Stripe's text that may be personal data: addresses
// and longer numbers. Stripe's own ids stay, since they have an underscore.
func clean(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		digits := 0
		for _, r := range w {
			if unicode.IsDigit(r) {
				digits++
			}
		}
		if strings.Contains(w, "@") || (digits > 4 && !strings.Contains(w, "_")) {
			words[i] = "…"
		}
	}
	out := []rune(strings.Join(words, " "))
	if len(out) > maxDetail {
		out = append(out[:maxDetail], '…')
	}
	return string(out)
}

// missing reports that Stripe, and no proxy, says the object is not there.
func missing(err error) bool { return err != nil && fault.As(err).Code == codeMissing }
