package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	quotesPath = "/v1/quotes"
	linksPath  = "/v1/payment_links"
)

// The states of a quote at Stripe, which are the canonical ones too.
const (
	statusAccepted = "accepted"
	statusCanceled = "canceled"
)

// quotes writes quotes: a draft, that is sent (open) and may be accepted, which
// makes an invoice of it.
func quotes(a *api, daysUntilDue int) plain {
	w := plain{api: a, object: objectQuote, path: quotesPath}
	w.plan = func(_ context.Context, doc connector.Document) (plan, error) { return quotePlan(doc, daysUntilDue) }
	w.stands = func(raw json.RawMessage) bool {
		q, err := decode[quote]("read quote", raw)
		return err == nil && q.Status != statusCanceled
	}
	w.result = func(raw json.RawMessage, effect events.Effect) (connector.Result, error) {
		q, err := decode[quote]("read quote", raw)
		if err != nil {
			return connector.Result{}, err
		}
		f, err := q.fields()
		r, err := answerOf(q.ID, effect, f, err)
		r.Number = q.Number
		return r, err
	}
	w.finish = func(ctx context.Context, doc connector.Document, raw json.RawMessage) (json.RawMessage, bool, error) {
		return a.advance(ctx, doc, raw)
	}
	w.end = func(ctx context.Context, id string, raw json.RawMessage) (json.RawMessage, error) {
		if q, err := decode[quote]("read quote", raw); err != nil || q.Status == statusAccepted {
			return nil, orFault(err, fault.New(fault.Rejected, "stripe: cancel quote", "quote %s is accepted", id).
				WithHint("void the invoice or cancel the subscription that it became"))
		}
		return a.post(ctx, "cancel quote", w.at(id)+"/cancel", nil)
	}
	return w
}

func orFault(err error, f *fault.Error) error {
	if err != nil {
		return err
	}
	return f
}

func quotePlan(doc connector.Document, daysUntilDue int) (plan, error) {
	f := fieldsOf(doc, "stripe: write quote")
	customer, err := f.required("customer")
	if err != nil {
		return plan{}, err
	}
	status, _, err := f.text("status")
	if err != nil {
		return plan{}, err
	}
	if status != "" && status != statusDraft && status != statusOpen && status != statusAccepted {
		return plan{}, f.refuse("status", "want draft, open or accepted")
	}
	lines, err := offered(f)
	if err != nil {
		return plan{}, err
	}
	form := url.Values{"customer": {customer}, "collection_method": {"send_invoice"}}
	if err := f.copyText(form, same, "description"); err != nil {
		return plan{}, err
	}
	if date, _, err := f.text("expires_on"); err != nil {
		return plan{}, err
	} else if date != "" {
		t, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return plan{}, f.refuse("expires_on", "want a date such as 2026-11-23")
		}
		form.Set("expires_at", strconv.FormatInt(t.AddDate(0, 0, 1).Unix()-1, 10))
	}
	days, err := f.whole("days_until_due", daysUntilDue, 10_000)
	if err != nil {
		return plan{}, err
	}
	form.Set("invoice_settings[days_until_due]", strconv.Itoa(days))
	if err := addMetadata(form, doc, f); err != nil {
		return plan{}, err
	}
	create := clone(form)
	lines.form(create, "line_items")
	// What a quote says is in its metadata too, for a quote that was sent is
	// compared and not changed.
	digest := lines.digest()
	create.Set(metadata(metaLines), digest)
	p := plan{create: create, filter: url.Values{"customer": {customer}}}
	p.updateOf = func(raw json.RawMessage) url.Values {
		q, _ := decode[quote]("read quote", raw)
		switch {
		case q.Status != statusDraft:
			return onlyMetadata(form) // all that a sent quote takes
		case q.Metadata[metaLines] != digest:
			return create
		}
		return form
	}
	p.differs = func(raw json.RawMessage) (string, string) {
		q, err := decode[quote]("read quote", raw)
		const remedy = "cancel the quote in Stripe, then another is made"
		switch {
		case err != nil || q.Status == statusDraft:
			return "", ""
		case q.Metadata[metaLines] != digest:
			return "lines", remedy
		case q.Customer.ID != customer:
			return "customer", remedy
		case status == statusDraft || q.Status == statusAccepted && status == statusOpen:
			return "status", "a quote does not go back: " + remedy
		}
		return "", ""
	}
	return p, nil
}

// advance sends a draft and accepts an open quote, as the document asks.
func (a *api) advance(ctx context.Context, doc connector.Document, raw json.RawMessage) (json.RawMessage, bool, error) {
	q, err := decode[quote]("read quote", raw)
	if err != nil {
		return nil, false, err
	}
	want, _, err := fieldsOf(doc, "stripe: write quote").text("status")
	if err != nil {
		return nil, false, err
	}
	path, changed := quotesPath+"/"+url.PathEscape(q.ID), false
	if q.Status == statusDraft && want != statusDraft {
		if raw, err = a.post(ctx, "finalize quote", path+"/finalize", nil); err != nil {
			return nil, false, err
		}
		if q, err = decode[quote]("finalize quote", raw); err != nil {
			return nil, false, err
		}
		changed = true
	}
	if q.Status == statusOpen && want == statusAccepted {
		if raw, err = a.post(ctx, "accept quote", path+"/accept", nil); err != nil {
			return nil, false, err
		}
		changed = true
	}
	return raw, changed, nil
}

// paymentLinks writes payment links, each paid once unless the flow says
// otherwise.
func paymentLinks(a *api) plain {
	w := plain{api: a, object: objectPaymentLink, path: linksPath}
	w.plan = func(_ context.Context, doc connector.Document) (plan, error) { return linkPlan(doc) }
	w.stands = func(json.RawMessage) bool { return true } // one that is inactive can be opened again
	w.result = func(raw json.RawMessage, effect events.Effect) (connector.Result, error) {
		p, err := decode[paymentLink]("read payment link", raw)
		if err != nil {
			return connector.Result{}, err
		}
		return connector.Result{ID: p.ID, URL: p.URL, Effect: effect, Seen: p.fields()}, nil
	}
	w.end = func(ctx context.Context, id string, _ json.RawMessage) (json.RawMessage, error) {
		return a.post(ctx, "close payment link", w.at(id), url.Values{"active": {"false"}})
	}
	return w
}

func linkPlan(doc connector.Document) (plan, error) {
	f := fieldsOf(doc, "stripe: write payment link")
	lines, err := offered(f)
	if err != nil {
		return plan{}, err
	}
	uses, err := f.whole("uses", 1, 1_000_000)
	if err != nil {
		return plan{}, err
	}
	update := url.Values{"active": {"true"}}
	if active, ok, err := f.text("active"); err != nil {
		return plan{}, err
	} else if ok && active != "" {
		update.Set("active", active)
	}
	if err := addMetadata(update, doc, f); err != nil {
		return plan{}, err
	}
	digest := lines.digest()
	update.Set(metadata(metaLines), digest)
	create := clone(update)
	create.Del("active")
	lines.form(create, "line_items")
	if uses > 0 {
		create.Set("restrictions[completed_sessions][limit]", strconv.Itoa(uses))
	}
	// The payment names the record, as no invoice does.
	create.Set("payment_intent_data[metadata]["+metaFor+"]", doc.Record.String())
	return plan{create: create, update: update, differs: func(raw json.RawMessage) (string, string) {
		if id, err := decode[identity]("", raw); err == nil && id.Metadata[metaLines] != digest {
			return "lines", "whoever has the link may be about to pay it: close it in Stripe and delete its metadata spoke_key, then another is made"
		}
		return "", ""
	}}, nil
}

// offer are the lines of a quote or a payment link.
type offer []line

// maxOffered is how many lines Stripe takes at once in a quote or a link.
const maxOffered = 20

func offered(f fields) (offer, error) {
	code, _, err := f.text("currency")
	if err != nil {
		return nil, err
	}
	list, err := f.list("lines")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > maxOffered {
		return nil, f.refuse("lines", "want 1 to %d lines, not %d", maxOffered, len(list)).WithHint("give the deal line items")
	}
	code = strings.ToUpper(code)
	lines := make(offer, len(list))
	for i, e := range list {
		if lines[i], err = lineOf(e, code); err != nil {
			return nil, err
		}
		code = lines[i].currency
		if lines[i].product == "" {
			return nil, e.refuse("product", "is missing").WithHint("Stripe offers products only: give the line one")
		}
		if n, err := lines[i].quantity.Int64(); err != nil || n < 1 {
			return nil, e.refuse("quantity", "want a whole number of at least 1")
		}
	}
	return lines, nil
}

func (o offer) form(into url.Values, name string) {
	for i, l := range o {
		at := name + "[" + strconv.Itoa(i) + "]"
		into.Set(at+"[quantity]", l.quantity.String())
		into.Set(at+"[price_data][currency]", strings.ToLower(l.currency))
		into.Set(at+"[price_data][product]", l.product)
		setUnit(into, at+"[price_data]", l.unit)
	}
}

// digest names the content of the lines.
func (o offer) digest() string {
	form := url.Values{}
	o.form(form, "lines")
	return shortSum(form.Encode())
}
