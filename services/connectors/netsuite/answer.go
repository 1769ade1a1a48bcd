package netsuite

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// answer is what is read of a record.
type answer struct {
	ID       label  `json:"id"`
	EntityID string `json:"entityId"`
	TranID   string `json:"tranId"`
	Status   label  `json:"status"`
	Total    label  `json:"total"`
	Currency label  `json:"currency"`
	Due      label  `json:"amountRemaining"`
	Paid     label  `json:"amountPaid"`
}

// read gets a record by internal id or "eid:…". What it tells beyond the names
// that NetSuite gave is worth having and no condition of a write: an account or
// role without one of the fields is asked for the others no more.
func (t *target) read(ctx context.Context, rec record, verb, path string) (connector.Result, bool, error) {
	if _, bare := t.bare.Load(rec.Name); !bare {
		r, found, err := t.ask(ctx, rec, verb, path)
		if !fault.Is(err, fault.Rejected) || fault.As(err).Code == "" { // not NetSuite's own word
			return r, found, err
		}
	}
	plain := rec
	plain.read, plain.shows = rec.named(), nil
	r, found, err := t.ask(ctx, plain, verb, path)
	if err != nil {
		return r, found, err
	}
	if _, known := t.bare.LoadOrStore(rec.Name, true); !known {
		t.reader.log.Warn("netsuite: not every field of the type can be read back, so what people change in one before the next poll may go unseen",
			"connection", t.reader.connection, "type", rec.Name, "fields", rec.read)
	}
	return r, found, nil
}

// named are the fields of a read back without those that only some accounts and
// roles have: the names, and what NetSuite decides of a sale.
func (r record) named() string {
	asked := strings.Split(r.read, ",")
	plain := []string{"id", "entityId", "tranId"}
	if slices.Contains(asked, "total") {
		plain = append(plain, "status", "total", "currency", "amountRemaining", "amountPaid")
	}
	return strings.Join(slices.DeleteFunc(asked, func(name string) bool { return !slices.Contains(plain, name) }), ",")
}

func (t *target) ask(ctx context.Context, rec record, verb, path string) (connector.Result, bool, error) {
	op := verb + " " + title(rec.Name)
	resp, absent, err := t.api.do(ctx, call{
		op: op, method: http.MethodGet, path: "/record/v1/" + rec.Name + "/" + path,
		query: url.Values{"fields": {rec.read}},
	})
	if err != nil || absent {
		return connector.Result{}, false, err
	}
	var a answer
	var values map[string]any
	if decode(resp.Body, &a) != nil || decode(resp.Body, &values) != nil || a.ID.id == "" {
		return connector.Result{}, false, unreadable(op)
	}
	r := connector.Result{
		ID: a.ID.id, Number: first(a.TranID, a.EntityID), Effect: events.EffectUnchanged,
		URL: t.app + rec.page + "?id=" + url.QueryEscape(a.ID.id),
	}
	r.Seen = t.shown(rec, values)
	err = t.decided(ctx, rec, a, r.Seen)
	return r, err == nil, err
}

// decided adds the fields of an answer that NetSuite itself decides.
func (t *target) decided(ctx context.Context, rec record, a answer, seen events.Fields) error {
	if rec.Name != typeOrder && rec.Name != typeInvoice && rec.Name != typeCredit {
		return nil
	}
	seen.Set("number", a.TranID)
	status := first(a.Status.name, a.Status.id)
	if rec.Name != typeOrder {
		status = canonicalStatus(rec.Name, first(a.Status.id, a.Status.name))
	}
	if status != "" {
		seen.Set("status", status)
	}
	iso, err := t.money.iso(ctx, a.Currency.id)
	if err != nil {
		return err
	}
	amounts := map[string]label{"total": a.Total}
	if rec.Name == typeInvoice {
		amounts["amountDue"], amounts["amountPaid"] = a.Due, a.Paid
	}
	for name, v := range amounts {
		if m, err := events.NewMoney(v.id, iso); err == nil {
			seen.Set(name, m)
		}
	}
	return nil
}

// title is a record type in words, for errors.
func title(name string) string {
	switch name {
	case typeOrder:
		return "sales order"
	case typePayment:
		return "customer payment"
	case typeCredit:
		return "credit memo"
	case typeRefund:
		return "customer refund"
	default:
		return name
	}
}
