package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// verdict compares what every system holds with the model.
type verdict struct {
	r           *run
	differences []string
}

func (v *verdict) differ(format string, args ...any) {
	v.differences = append(v.differences, fmt.Sprintf(format, args...))
}

func (v *verdict) equal(what string, got, want any) {
	if got != want {
		v.differ("%s: %v, want %v", what, got, want)
	}
}

const keyOf = "spoke-"

func companyKey(id string) string { return keyOf + "company-" + id }
func dealKey(id string) string    { return keyOf + "deal-" + id }

// compare looks at every vendor.
func (v *verdict) compare() {
	v.customers()
	v.sales()
	v.payments()
}

// customers: each company that anything was said of has one customer at each
// vendor, with its last name.
func (v *verdict) customers() {
	b := v.r.world.boxes
	netsuite, quickbooks := map[string]string{}, map[string]string{}
	for _, c := range b.NetSuite.Customers() {
		netsuite[c.ExternalID] = c.Name
	}
	for _, c := range b.QuickBooks.Customers() {
		quickbooks[text(c["DisplayName"])] = text(c["PrimaryPhone"])
	}
	for _, c := range v.r.world.companies {
		if !c.touched {
			continue
		}
		v.equal("netsuite: customer of company "+c.id, netsuite[companyKey(c.id)], c.name)
		if _, ok := quickbooks[c.name]; !ok {
			v.differ("quickbooks: no customer %q of company %s", c.name, c.id)
		}
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// sales: each won deal has one order and two invoices over its amount, and
// HubSpot knows their numbers.
func (v *verdict) sales() {
	b := v.r.world.boxes
	orders, numbers, billed, stripe := map[string]string{}, map[string]string{}, map[string]string{}, map[string]int64{}
	for _, o := range b.NetSuite.Orders() {
		orders[o.ExternalID], numbers[o.ExternalID] = o.Total, o.Number
	}
	for _, i := range b.QuickBooks.Invoices() {
		billed[text(i["DocNumber"])] = fmt.Sprint(i["TotalAmt"])
	}
	for _, i := range b.Stripe.Invoices() {
		stripe[i.Key] = i.Total
	}
	won := 0
	for _, d := range v.r.world.deals {
		key := dealKey(d.id)
		if !d.won {
			if _, ok := orders[key]; ok {
				v.differ("netsuite: an order for deal %s, which is not won", d.id)
			}
			continue
		}
		won++
		v.equal("netsuite: order of deal "+d.id, cents(orders[key]), d.cents)
		v.equal("quickbooks: invoice of deal "+d.id, cents(billed["HS-"+d.id]), d.cents)
		v.equal("stripe: invoice of deal "+d.id, stripe[key], d.cents)
		v.equal("hubspot: order number of deal "+d.id, b.HubSpot.Deal(d.id)["spoke_netsuite_order"], numbers[key])
	}
	v.equal("netsuite: orders", len(orders), won)
	v.equal("quickbooks: invoices", len(billed), won)
	v.equal("stripe: invoices", len(stripe), won)
}

// cents reads an amount; -1 for none.
func cents(amount string) int64 {
	m, err := events.NewMoney(amount, "USD")
	if err != nil {
		return -1
	}
	n, err := m.Minor()
	if err != nil {
		return -1
	}
	return n
}

// payments: what was paid at Stripe stands at NetSuite and QuickBooks, payment
// by payment, and in sum on HubSpot.
func (v *verdict) payments() {
	b := v.r.world.boxes
	netsuite, quickbooks := map[string]int64{}, int64(0)
	for _, p := range b.NetSuite.Payments() {
		netsuite[p.ExternalID] += cents(p.Amount)
	}
	for _, p := range b.QuickBooks.Payments() {
		quickbooks += cents(fmt.Sprint(p["TotalAmt"]))
	}
	total, count := int64(0), 0
	for _, i := range b.Stripe.Invoices() {
		paid := v.r.world.paid[i.ID]
		v.equal("stripe: paid of invoice "+i.ID, i.Paid, paid)
		sum := int64(0)
		for _, id := range b.Stripe.Intents(i.ID) {
			key := keyOf + "payment-stripe-" + id
			if _, ok := netsuite[key]; !ok {
				v.differ("netsuite: no payment %s", key)
			}
			sum += netsuite[key]
			count++
		}
		v.equal("netsuite: payments of "+i.Key, sum, paid)
		total += paid
		if deal := strings.TrimPrefix(i.Key, dealKey("")); paid > 0 {
			v.equal("hubspot: amount paid of deal "+deal, cents(b.HubSpot.Deal(deal)["spoke_amount_paid"]), paid)
		}
	}
	v.equal("netsuite: payments", len(netsuite), count)
	v.equal("quickbooks: sum of payments in cents", quickbooks, total)
}

// many are effects whose key has several of them in good order: the lines of an
// invoice.
var many = map[string]bool{"invoiceitem created": true}

// twice counts effects that must happen once for each key, and happened more
// often.
func (v *verdict) twice() (n int) {
	for _, vendor := range vendors {
		counts := v.r.box(vendor).Counts()
		for _, what := range slices.Sorted(maps.Keys(counts.Effects)) {
			if !strings.HasSuffix(what, " created") && what != "invoice finalized" || many[what] {
				continue
			}
			for key, times := range counts.Effects[what] {
				if times > 1 {
					n += times - 1
					v.differ("%s: %s %d times for %s", vendor, what, times, key)
				}
			}
		}
	}
	return n
}

// Accounts says what became of the events that ingest accepted, and of the
// outcomes of our own writes.
type Accounts struct {
	Accepted    int `json:"accepted"`    // events of vendors and upstreams
	Outcomes    int `json:"outcomes"`    // events of our own writes
	Effect      int `json:"effect"`      // the record holds its word
	Superseded  int `json:"superseded"`  // the record holds a newer word, or what a read for a later one brought
	Quarantined int `json:"quarantined"` // set apart with its reason
	Held        int `json:"held"`        // documents that wait for another
	PassedOver  int `json:"passedOver"`  // of objects that have no place for a key and stand for no record
	Lost        int `json:"lost"`        // nothing knows of it
}

// account looks up every event on EVENTS.
func (v *verdict) account(ctx context.Context, b *bus.Bus) (Accounts, error) {
	var a Accounts
	records, err := v.records(ctx, b)
	if err != nil {
		return a, err
	}
	apart, err := v.apart(ctx, b)
	if err != nil {
		return a, err
	}
	for next := uint64(1); ; {
		msgs, err := b.Read(ctx, events.StreamEvents, "events.>", next, 1000, 8<<20)
		if err != nil {
			return a, err
		}
		if len(msgs) == 0 {
			break
		}
		for _, m := range msgs {
			v.accountOne(m, records, apart, &a)
			next = m.Seq + 1
		}
	}
	for _, err := range b.Scan(ctx, events.StreamHub, "held.>") {
		if err != nil {
			return a, err
		}
		a.Held++
	}
	return a, nil
}

// passedOver reports whether an event is about an object that transform leaves
// alone until it is known: it may be one of ours; see connector.Object.Unmarked.
func passedOver(e events.Event) bool {
	c, err := e.Change()
	if err != nil {
		return false
	}
	for _, k := range catalog.Kinds() {
		if o, ok := k.Object(c.Object); ok && k.Name == c.Connection { // the demo names connections by their kind
			return o.Unmarked
		}
	}
	return false
}

// known is what a golden record says of the objects that stand for it.
type known struct {
	events map[string]bool // ids of events whose word stands
	seen   map[string]bool // objects that were seen: connection/object/id
}

func (v *verdict) records(ctx context.Context, b *bus.Bus) (known, error) {
	k := known{events: map[string]bool{}, seen: map[string]bool{}}
	for m, err := range b.Scan(ctx, events.StreamHub, "record.>") {
		if err != nil {
			return k, err
		}
		var rec events.Record
		if err := json.Unmarshal(m.Data, &rec); err != nil {
			return k, err
		}
		for _, f := range rec.Fields {
			k.events[f.Event] = true
		}
		for _, d := range rec.Docs {
			k.events[d.Event] = true
			k.seen[d.Connection+"/"+d.Object+"/"+d.ID] = true
			k.seen[d.Connection+"/"+d.Object+"/"+rec.Key.String()] = true
		}
	}
	return k, nil
}

// apart returns the sequences of the events that are set apart, and the records
// of the documents.
func (v *verdict) apart(ctx context.Context, b *bus.Bus) (map[uint64]bool, error) {
	found := map[uint64]bool{}
	for m, err := range b.Scan(ctx, events.StreamQuarantine, "quarantine.>") {
		if err != nil {
			return nil, err
		}
		var q events.Quarantined
		if err := json.Unmarshal(m.Data, &q); err != nil {
			return nil, err
		}
		if q.Stream == events.StreamEvents {
			found[q.Sequence] = true
		}
		if q.Problem.Message == "" || q.Problem.Kind == "" {
			v.differ("quarantine %d has no reason", m.Seq)
		}
	}
	return found, nil
}

func (v *verdict) accountOne(m bus.Stored, k known, apart map[uint64]bool, a *Accounts) {
	if bus.IsRoute(m) {
		return
	}
	e, err := bus.DecodeEvent(m)
	if err != nil {
		v.differ("event %d can't be read: %v", m.Seq, err)
		return
	}
	object := ""
	if e.IsOutcome() {
		a.Outcomes++
		if o, err := e.Outcome(); err == nil {
			object = o.Connection + "/" + o.Object + "/" + o.Record.String()
		}
	} else {
		a.Accepted++
		if c, err := e.Change(); err == nil {
			object = c.Connection + "/" + c.Object + "/" + c.ID
			if c.Object == "line_item" || c.Object == "price" || !c.Record.IsZero() {
				k.seen[object] = true // told by the record that it belongs to
			}
		}
	}
	switch {
	case k.events[e.ID]:
		a.Effect++
	case apart[m.Seq]:
		a.Quarantined++
	case k.seen[object]:
		a.Superseded++
	case passedOver(e):
		a.PassedOver++
	default:
		a.Lost++
		if a.Lost <= 10 {
			v.differ("event %d (%s, %s) is accounted for nowhere", m.Seq, e.Type, object)
		}
	}
}
