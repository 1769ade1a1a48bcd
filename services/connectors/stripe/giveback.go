package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	refundsPath     = "/v1/refunds"
	creditNotesPath = "/v1/credit_notes"
)

// refunds writes refunds. A refund is one movement of money and is never
// changed; one that failed or was canceled gave nothing back, and stands as what
// happened: another is asked for with another record.
func refunds(a *api) plain {
	w := plain{api: a, object: objectRefund, path: refundsPath, money: true}
	w.plan = func(_ context.Context, doc connector.Document) (plan, error) { return refundPlan(doc) }
	w.stands = func(json.RawMessage) bool { return true }
	w.result = func(raw json.RawMessage, effect events.Effect) (connector.Result, error) {
		x, err := decode[refund]("read refund", raw)
		if err != nil {
			return connector.Result{}, err
		}
		f, err := x.fields()
		return answerOf(x.ID, effect, f, err)
	}
	w.end = func(ctx context.Context, id string, raw json.RawMessage) (json.RawMessage, error) {
		x, err := decode[refund]("read refund", raw)
		switch {
		case err != nil:
			return nil, err
		case x.Status == statusCanceled:
			return raw, nil
		case x.Status != "requires_action":
			return nil, fault.New(fault.Rejected, "stripe: cancel refund", "refund %s is %s and can't be taken back", id, clean(x.Status)).
				WithHint("set the flow's on_leave to keep")
		}
		return a.post(ctx, "cancel refund", w.at(id)+"/cancel", nil)
	}
	return w
}

func refundPlan(doc connector.Document) (plan, error) {
	f := fieldsOf(doc, "stripe: write refund")
	payment, err := f.required("payment")
	if err != nil {
		return plan{}, err
	}
	by := movementParam(payment)
	if by == "" {
		return plan{}, f.refuse("payment", "was received outside Stripe").WithHint("give it back where it was received")
	}
	create := url.Values{by: {payment}}
	update := url.Values{}
	if err := addMetadata(update, doc, f); err != nil {
		return plan{}, err
	}
	m, ok, err := f.money("amount")
	if err != nil {
		return plan{}, err
	}
	amount := int64(0)
	if ok {
		if amount, err = toMinor(m); err == nil && amount <= 0 {
			err = f.refuse("amount", "must be more than 0")
		}
		if err != nil {
			return plan{}, f.refuse("amount", "%w", err)
		}
		create.Set("amount", strconv.FormatInt(amount, 10))
	}
	if err := f.copyText(create, same, "reason"); err != nil {
		return plan{}, err
	}
	for name, v := range update {
		create[name] = v
	}
	return plan{create: create, update: update, filter: url.Values{by: {payment}}, differs: func(raw json.RawMessage) (string, string) {
		x, err := decode[refund]("read refund", raw)
		switch {
		case err != nil || !ok:
			return "", ""
		case x.Amount != amount:
			return "amount", "a refund is made once: ask for the difference with another record"
		}
		return "", ""
	}}, nil
}

// movementParam is the parameter that names a payment; "" for one that Stripe
// did not receive.
func movementParam(id string) string {
	switch {
	case hasPrefix(id, "pi_"):
		return "payment_intent"
	case hasPrefix(id, "ch_", "py_"):
		return "charge"
	default:
		return ""
	}
}

// creditNotes writes credit notes. As long as the invoice is not paid, the
// credit lowers what is still to be paid; of the rest the document says what
// becomes.
func creditNotes(a *api) plain {
	w := plain{api: a, object: objectCreditNote, path: creditNotesPath, money: true}
	w.plan = a.creditPlan
	w.stands = func(raw json.RawMessage) bool {
		n, err := decode[creditNote]("read credit note", raw)
		return err == nil && n.Status != statusVoid
	}
	w.result = func(raw json.RawMessage, effect events.Effect) (connector.Result, error) {
		n, err := decode[creditNote]("read credit note", raw)
		if err != nil {
			return connector.Result{}, err
		}
		f, err := n.fields()
		r, err := answerOf(n.ID, effect, f, err)
		r.Number = n.Number
		return r, err
	}
	w.end = func(ctx context.Context, id string, _ json.RawMessage) (json.RawMessage, error) {
		return a.post(ctx, "void credit note", w.at(id)+"/void", nil)
	}
	return w
}

func (a *api) creditPlan(ctx context.Context, doc connector.Document) (plan, error) {
	f := fieldsOf(doc, "stripe: write credit note")
	id, err := f.required("invoice")
	if err != nil {
		return plan{}, err
	}
	m, ok, err := f.money("amount")
	if err != nil || !ok {
		return plan{}, orFault(err, f.refuse("amount", "is missing"))
	}
	amount, err := toMinor(m)
	if err != nil || amount <= 0 {
		return plan{}, orFault(err, f.refuse("amount", "must be more than 0"))
	}
	update := url.Values{}
	if err := f.copyText(update, same, "memo"); err != nil {
		return plan{}, err
	}
	if err := addMetadata(update, doc, f); err != nil {
		return plan{}, err
	}
	create := clone(update)
	create.Set("invoice", id)
	create.Set("amount", strconv.FormatInt(amount, 10))
	if err := f.copyText(create, same, "reason"); err != nil {
		return plan{}, err
	}
	p := plan{create: create, update: update, filter: url.Values{"invoice": {id}}}
	p.differs = func(raw json.RawMessage) (string, string) {
		if n, err := decode[creditNote]("read credit note", raw); err == nil && n.Amount != amount {
			return "amount", "void the credit note in Stripe, then another is made"
		}
		return "", ""
	}
	return p, a.settleCredit(ctx, f, create, id, amount)
}

// settleCredit says what becomes of the part that was paid already. A document
// that is settled anew is told the same: the amounts are only sent when the
// credit note is made.
func (a *api) settleCredit(ctx context.Context, f fields, create url.Values, id string, amount int64) error {
	how, _, err := f.text("settle")
	if err != nil {
		return err
	}
	param, known := map[string]string{
		"": "credit_amount", "balance": "credit_amount", "refund": "refund_amount", "outside": "out_of_band_amount",
	}[how]
	if !known {
		return f.refuse("settle", "want balance, refund or outside")
	}
	raw, found, err := a.get(ctx, "read invoice", invoicesPath+"/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	if !found {
		return f.refuse("invoice", "is not at Stripe any more").WithHint("leave the credit note to whoever deleted the invoice")
	}
	inv, err := decode[invoice]("read invoice", raw)
	if err != nil {
		return err
	}
	if paid := amount - inv.AmountRemaining; paid > 0 {
		create.Set(param, strconv.FormatInt(paid, 10))
	}
	return nil
}
