package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/quarantine"
)

// desk is the quarantine.
func desk(b *bus.Bus) *quarantine.Store {
	return quarantine.New(b, audit.New(b, tenant, audit.Actor()))
}

// setApart compares what is in QUARANTINE with what should be: each poison event
// at its place, with kind, reason, field and remedy, and nothing else.
func (v *verdict) setApart(ctx context.Context, b *bus.Bus, all []poisoned, a *Account) error {
	found := map[string]int{}
	entries, incomplete, others := 0, 0, 0
	wanted := map[string]poisoned{}
	for _, p := range all {
		wanted[p.record().String()] = p
	}
	for e, err := range desk(b).Each(ctx, quarantine.Filter{}) {
		if err != nil {
			return err
		}
		entries++
		p := e.Problem
		if p.Kind == "" || p.Message == "" || p.Field == "" || p.Hint == "" {
			incomplete++
			v.differ("quarantine %d (%s, %s) lacks kind, reason, field or remedy: %+v", e.ID, e.Connection, e.Record, p)
		}
		record := apartRecord(e)
		w, ok := wanted[record]
		if !ok {
			others++
			v.differ("quarantine %d: %s of %s was set apart: %s", e.ID, record, e.Connection, p.Message)
			continue
		}
		if e.Connection == w.apart[0] && strings.HasPrefix(p.Field, w.apart[1]) {
			found[record]++
		}
	}
	counts := map[string]int{}
	for record, p := range wanted {
		if found[record] == 0 {
			v.differ("%s (%s): nothing of it was set apart at %s for the field %s", record, p.name, p.apart[0], p.apart[1])
			continue
		}
		counts[p.name]++
	}
	a.say("poison events %d, set apart in %d entries; without kind, reason, field or remedy %d, of other events %d", len(all), entries, incomplete, others)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		a.say("  %4d  %s", counts[name], name)
	}
	return nil
}

// apartRecord is the record that an entry is about. An event that has none yet
// names the object of the upstream.
func apartRecord(e quarantine.Entry) string {
	if !e.Record.IsZero() && !strings.HasPrefix(e.Record.ID, "poison-") {
		return e.Record.String()
	}
	c := events.Change{}
	if err := json.Unmarshal(e.Original, &c); err == nil && c.ID != "" {
		return events.Key{Entity: c.Entity, ID: c.Connection + "-" + c.ID}.String()
	}
	return e.Record.String()
}

// nothingApart: QUARANTINE is empty.
func (v *verdict) nothingApart(ctx context.Context, b *bus.Bus, a *Account) error {
	left := 0
	for e, err := range desk(b).Each(ctx, quarantine.Filter{}) {
		if err != nil {
			return err
		}
		left++
		v.differ("quarantine %d is still there: %s at %s: %s", e.ID, e.Record, e.Connection, e.Problem.Message)
	}
	a.say("left in quarantine %d", left)
	return nil
}

// companies: each of the shop's has one customer at each vendor, with its last
// name.
func (v *verdict) companies(companies map[string]string, a *Account) {
	before, n := len(v.differences), 0
	for _, vendor := range vendors[1:] {
		at := v.customersAt(vendor)
		for id, name := range companies {
			n++
			key := events.ExternalKey(events.Key{Entity: events.EntityCompany, ID: "shop-" + id})
			v.equal(vendor+": customers of "+key, fmt.Sprint(at[key]), fmt.Sprint([]string{name}))
		}
	}
	a.say("customers of the other events compared %d, differences %d", n, len(v.differences)-before)
}

// mended: what was poison is done, once at each vendor.
func (v *verdict) mended(all []poisoned, a *Account) {
	before, n := len(v.differences), 0
	b := v.r.world.boxes
	orders, invoices, bills := map[string]int{}, map[string]int{}, map[string]int{}
	for _, o := range b.NetSuite.Orders() {
		orders[o.ExternalID]++
	}
	for _, i := range b.QuickBooks.Invoices() {
		invoices[text(i["DocNumber"])]++
	}
	for _, i := range b.Stripe.Invoices() {
		bills[i.Key]++
	}
	at := map[string]map[string][]string{}
	for _, vendor := range vendors[1:] {
		at[vendor] = v.customersAt(vendor)
	}
	for _, p := range all {
		key := events.ExternalKey(p.record())
		if p.entity == events.EntityDeal {
			n += 3
			v.equal("netsuite: orders of "+key, orders[key], 1)
			v.equal("quickbooks: invoices of "+key, invoices[docNumber(p.id)], 1)
			v.equal("stripe: invoices of "+key, bills[key], 1)
			continue
		}
		for _, vendor := range vendors[1:] {
			n++
			v.equal(vendor+": customers of "+key, fmt.Sprint(at[vendor][key]), fmt.Sprint([]string{"Poison " + p.id}))
		}
	}
	a.say("objects of the mended events compared %d, differences %d", n, len(v.differences)-before)
}
