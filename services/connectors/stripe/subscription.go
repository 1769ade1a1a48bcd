package stripe

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// subscription is Stripe's. Its periods are those of its items.
type subscription struct {
	identity
	Status   string               `json:"status"`
	Currency string               `json:"currency"`
	Customer expandable[identity] `json:"customer"`
	Start    int64                `json:"start_date"`
	Items    struct {
		Data []subscriptionItem `json:"data"`
	} `json:"items"`
}

type subscriptionItem struct {
	identity
	PeriodEnd int64           `json:"current_period_end"`
	Quantity  *events.Decimal `json:"quantity"`
	Price     price           `json:"price"`
}

// over reports that it bills nothing any more.
func (s subscription) over() bool { return s.Status == "canceled" || s.Status == "incomplete_expired" }

// fields tells no amount where an item has no plain price.
func (s subscription) fields(say speaker) (events.Fields, error) {
	f := events.Fields{}
	f.Set("status", s.Status)
	f.Set("startedOn", day(s.Start))
	var total events.Money
	lines := make([]events.Line, 0, len(s.Items.Data))
	interval, end, plain := "", int64(0), len(s.Items.Data) > 0
	for _, it := range s.Items.Data {
		l, err := it.line(say)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
		end = max(end, it.PeriodEnd)
		if it.Price.Recurring != nil {
			interval = it.Price.Recurring.Interval
		}
		if l.Amount.IsZero() {
			plain = false
			continue
		}
		if total.IsZero() {
			total = l.Amount
		} else if total, err = total.Add(l.Amount); err != nil {
			return nil, err
		}
	}
	f.Set("interval", interval)
	f.Set("periodEndOn", day(end))
	f.Set("company", say.link(objectCustomer, s.Customer.ID))
	f.Set("lines", lines)
	if plain {
		f.Set("amount", total)
	}
	return f, nil
}

func (it subscriptionItem) line(say speaker) (events.Line, error) {
	l := events.Line{ID: it.ID, Product: say.link(objectProduct, it.Price.Product.ID), Quantity: events.DecimalFromInt(1)}
	if it.Quantity != nil {
		l.Quantity = *it.Quantity
	}
	if it.Price.UnitAmount == nil {
		return l, nil
	}
	var err error
	if l.Price, err = fromMinorDecimal(*it.Price.UnitAmount, it.Price.Currency); err != nil {
		return l, err
	}
	amount, err := l.Price.Amount.Mul(l.Quantity)
	l.Amount = events.Money{Amount: amount, Currency: l.Price.Currency}
	return l, err
}

func (s speaker) subscription(raw json.RawMessage, at time.Time) (events.Change, error) {
	var x subscription
	if err := json.Unmarshal(raw, &x); err != nil {
		return events.Change{}, fmt.Errorf("subscription: %w", err)
	}
	f, err := x.fields(s)
	if err != nil {
		return events.Change{}, unknownAmount("amount", err)
	}
	return s.snapshot(objectSubscription, events.EntitySubscription, x.identity, at, f), nil
}
