package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// The scenario webhooks: people change companies at HubSpot, and customers at
// QuickBooks and Stripe. What the vendors announce is kept, then delivered in
// random order, a part of it twice, while each vendor holds the final state.

const (
	// repeated is how many of the deliveries are repeats.
	repeated = 0.2
	// changesEach is how often one object is changed.
	changesEach = 20
	// handShare is how many of the notices are QuickBooks's, and as many Stripe's.
	handShare = 0.05
)

func webhooksScenario() scenario {
	return scenario{
		setup: setup{replicas: 1, limits: roomy(), quiet: time.Hour, relay: relayPlan{repeat: 0.2, delay: 0.3}, held: true},
		play:  playWebhooks,
	}
}

// person is the model of one company.
type person struct {
	vendor, id  string
	record      events.Key
	name, phone string
}

func playWebhooks(ctx context.Context, r *run, a *Account) error {
	rnd := rand.New(rand.NewPCG(r.Seed, 3))
	distinct := int(float64(r.Events) * (1 - repeated))
	people, err := r.change(ctx, rnd, distinct)
	if err != nil {
		return err
	}
	notices, err := r.mailbox.empty()
	if err != nil {
		return err
	}
	once := len(notices)
	for range r.Events - once {
		notices = append(notices, notices[rnd.IntN(once)])
	}
	rnd.Shuffle(len(notices), func(i, j int) { notices[i], notices[j] = notices[j], notices[i] })
	var taken atomic.Int64
	stop := r.telling(func() string {
		return fmt.Sprintf("%d of %d webhooks taken, %d deliveries tried again", taken.Load(), len(notices), r.relay.counts.retried.Load())
	})
	defer stop()
	r.Say("  %4.0f s  %d objects were changed; %d webhooks are delivered, %d of them repeats", time.Since(r.began).Seconds(), len(people), len(notices), len(notices)-once)
	began := time.Now()
	all := deliveries(notices, rnd)
	if err := r.deliver(ctx, all, func(n int) { taken.Add(int64(n)) }); err != nil {
		return err
	}
	a.say("webhooks taken %d in %d deliveries within %.0f s, %d of them repeated, all in random order",
		taken.Load(), len(all), time.Since(began).Seconds(), len(notices)-once)
	v := &verdict{r: r}
	if err := r.finish(ctx, v, a); err != nil {
		return err
	}
	if err := v.people(ctx, people, a); err != nil {
		return err
	}
	a.Differences = v.differences
	return nil
}

// change makes objects and changes them, at random, until so many things are
// announced.
func (r *run) change(ctx context.Context, rnd *rand.Rand, notices int) ([]*person, error) {
	byHand := int(float64(notices) * handShare)
	shares := map[string]int{"quickbooks": byHand, "stripe": byHand, "hubspot": (notices - 2*byHand) / 2} // a change at HubSpot is two notices
	var all []*person
	for _, vendor := range []string{"hubspot", "quickbooks", "stripe"} {
		var own []*person
		for i := range max(shares[vendor]/changesEach, 1) {
			p, err := r.enter(vendor, i)
			if err != nil {
				return nil, err
			}
			own = append(own, p)
		}
		made := 0 // what is entered at HubSpot is there from before
		if vendor != "hubspot" {
			made = len(own)
		}
		for n := made; n < max(shares[vendor], 2*len(own)); n++ {
			p := own[rnd.IntN(len(own))]
			if n-made < len(own) {
				p = own[n-made] // each at least once
			}
			if err := r.edit(p, n); err != nil {
				return nil, err
			}
		}
		all = append(all, own...)
	}
	return all, until(ctx, settlePoll, func() bool { return r.world.flushed(ctx) })
}

// enter makes an object at a vendor.
func (r *run) enter(vendor string, i int) (*person, error) {
	p := &person{vendor: vendor, name: fmt.Sprintf("Company %s %d", vendor, i)}
	b := r.world.boxes
	var err error
	switch vendor {
	case "hubspot":
		p.id, err = b.HubSpot.AddCompany(hubspotbox.Company{ID: fmt.Sprint(firstCompany + i), Name: p.name, Country: "US"})
		p.record = events.Key{Entity: events.EntityCompany, ID: p.id}
		return p, err
	case "quickbooks":
		p.id, err = b.QuickBooks.Add("Customer", map[string]any{"DisplayName": p.name})
	default:
		p.id = b.Stripe.AddCustomer(p.name, "")
	}
	p.record = events.Key{Entity: events.EntityCompany, ID: vendor + "-" + p.id}
	return p, err
}

// edit changes an object at its vendor, and the model.
func (r *run) edit(p *person, n int) error {
	p.name, p.phone = fmt.Sprintf("Company %s v%d", p.id, n), fmt.Sprintf("+1 503 555 %04d", n%10_000)
	b := r.world.boxes
	switch p.vendor {
	case "hubspot":
		return b.HubSpot.Set("company", p.id, map[string]string{"name": p.name, "phone": p.phone})
	case "quickbooks":
		return b.QuickBooks.Edit("Customer", p.id, map[string]any{
			"DisplayName": p.name, "CompanyName": p.name, "PrimaryPhone": map[string]any{"FreeFormNumber": p.phone},
		})
	default:
		return b.Stripe.EditCustomer(p.id, p.name, p.phone)
	}
}

// people compares the golden records, and what each vendor holds, with the
// model.
func (v *verdict) people(ctx context.Context, people []*person, a *Account) error {
	b, err := v.r.dial(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	before := len(v.differences)
	at := map[string]map[string][]string{}
	for _, vendor := range vendors {
		at[vendor] = v.customersAt(vendor)
	}
	objects := 0
	for _, p := range people {
		rec, err := recordOf(ctx, b, p.record)
		if err != nil {
			return err
		}
		v.equal(p.record.String()+": name", textOf(rec, "name"), p.name)
		v.equal(p.record.String()+": phone", textOf(rec, "phone"), p.phone)
		for _, vendor := range vendors[1:] {
			if vendor == p.vendor {
				continue
			}
			objects++
			v.equal(vendor+": customers of "+p.record.String(), fmt.Sprint(at[vendor][events.ExternalKey(p.record)]), fmt.Sprint([]string{p.name}))
		}
	}
	a.say("records compared %d (name and phone), customers compared at the vendors %d, differences %d", len(people), objects, len(v.differences)-before)
	return nil
}

// recordOf reads a golden record; one that is not there is empty.
func recordOf(ctx context.Context, b *bus.Bus, k events.Key) (events.Record, error) {
	var rec events.Record
	m, ok, err := b.LastOne(ctx, events.StreamHub, events.RecordSubject(tenant, k))
	if err == nil && ok {
		err = json.Unmarshal(m.Data, &rec)
	}
	return rec, err
}

// textOf is a field of a record as text.
func textOf(rec events.Record, field string) string {
	return events.Fields{field: rec.Fields[field].Value}.Text(field)
}
