package torture

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// The scenario answers: creates that a vendor applied lose their answer. An
// upstream's company is one object at each of the four vendors.

const (
	// loseEvery is which calls that make something lose their answer: every
	// second one. A vendor that answers none is one that the breaker keeps calls
	// from, and rightly so.
	loseEvery = 2
	// shopChunk is how many companies are posted together, shopAhead how far the
	// vendors may be behind before more are.
	shopChunk, shopAhead = 64, 1000
)

// shopCompany makes the hub's companies of those of the shop. The hub's own flow
// only completes what is there.
const shopCompany = `flow: shop-company
from: company
when: has(company.name)
to: hubspot
object: company
create: true
on_leave: keep
fields:
  name: company.name
  phone: company.phone
`

// roomy are limits that don't count: what is measured is Spoke.
func roomy() map[string]string {
	const plain = "{per_second: 2000, burst: 2000, concurrent: 5}"
	return map[string]string{
		"hubspot": plain, "netsuite": plain, "stripe": plain,
		"quickbooks": "{per_second: 2000, burst: 2000, concurrent: 5, pools: {batch: {per_second: 200, burst: 200}}}",
	}
}

func answersScenario() scenario {
	return scenario{
		setup: setup{replicas: 1, limits: roomy(), quiet: time.Hour, flows: []string{shopCompany}, ownHub: true},
		play:  playAnswers,
	}
}

// madeEffects are the creates of the scenario, by vendor.
func madeEffects() map[string]string {
	return map[string]string{
		"hubspot": "company created", "netsuite": "customer created", "quickbooks": "Customer created", "stripe": "customer created",
	}
}

// shop is a company of the upstream.
func shop(i int) (id, name string, data map[string]any) {
	id, name = fmt.Sprint(i+1), fmt.Sprintf("Shop customer %d", i+1)
	return id, name, map[string]any{"name": name, "phone": fmt.Sprintf("+1 503 555 %04d", i%10_000), "email": fmt.Sprintf("buyer.%d@example.com", i+1)}
}

func playAnswers(ctx context.Context, r *run, a *Account) error {
	for vendor, effect := range madeEffects() {
		r.box(vendor).LoseCreates(loseEvery, effect)
	}
	stop := r.telling(r.lostSoFar)
	defer stop()
	posted, err := r.postUntilLost(ctx)
	if err != nil {
		return err
	}
	for vendor := range madeEffects() {
		r.box(vendor).LoseCreates(0)
	}
	r.Say("  %4.0f s  %d companies are posted", time.Since(r.began).Seconds(), posted)
	v := &verdict{r: r}
	if err := r.finish(ctx, v, a); err != nil {
		return err
	}
	for _, vendor := range vendors {
		v.answered(vendor, posted, a)
	}
	a.Differences = v.differences
	return nil
}

// postUntilLost posts companies until enough creates have lost their answer at
// each vendor. It returns how many.
func (r *run) postUntilLost(ctx context.Context) (posted int, err error) {
	chunk, ahead := min(shopChunk, r.Events), min(shopAhead, 2*r.Events)
	for ctx.Err() == nil {
		lost, applied := r.leastLost()
		if lost >= r.Events {
			return posted, nil
		}
		if posted-applied >= ahead {
			pause(ctx, settlePoll)
			continue
		}
		err := postAll(ctx, chunk, func(ctx context.Context, i int) error {
			id, _, data := shop(posted + i)
			return r.world.post(ctx, "company-"+id, id, data)
		})
		if err != nil {
			return posted, err
		}
		posted += chunk
	}
	return posted, ctx.Err()
}

// leastLost is how many creates the vendor that is furthest behind has applied,
// and for how many the one has lost the answer that has lost the fewest.
func (r *run) leastLost() (lost, applied int) {
	lost, applied = math.MaxInt, math.MaxInt
	for vendor, effect := range madeEffects() {
		lost = min(lost, r.box(vendor).LostCreates()[effect])
		applied = min(applied, r.box(vendor).Happened(effect))
	}
	return lost, applied
}

// lostSoFar is how many creates have lost their answer.
func (r *run) lostSoFar() string {
	var parts []string
	for _, vendor := range vendors {
		effect := madeEffects()[vendor]
		parts = append(parts, fmt.Sprintf("%s %d of %d", vendor, r.box(vendor).LostCreates()[effect], r.box(vendor).Happened(effect)))
	}
	return "answers lost of creates applied: " + strings.Join(parts, ", ")
}

// answered compares what a vendor holds with what it should hold: each company
// of the shop once.
func (v *verdict) answered(vendor string, posted int, a *Account) {
	objects := v.customersAt(vendor)
	missing, duplicates := 0, 0
	for i := range posted {
		id, name, _ := shop(i)
		key := events.ExternalKey(events.Key{Entity: events.EntityCompany, ID: "shop-" + id})
		found := objects[key]
		switch {
		case len(found) == 0:
			missing++
			v.differ("%s: nothing stands for %s", vendor, key)
			continue
		case len(found) > 1:
			duplicates += len(found) - 1
			v.differ("%s: %d objects stand for %s", vendor, len(found), key)
		}
		if found[0] != name {
			v.differ("%s: %s is named %q, want %q", vendor, key, found[0], name)
		}
		delete(objects, key)
	}
	for id, c := range v.r.world.boxes.HubSpot.Records("company") {
		key := events.ExternalKey(events.Key{Entity: events.EntityCompany, ID: id})
		if !isShops(c) && len(objects[key]) == 1 {
			delete(objects, key) // the portal's own, once a poll has read it
		}
	}
	for key, found := range objects {
		duplicates += len(found)
		v.differ("%s: %d objects of the key %q, which nobody asked for", vendor, len(found), key)
	}
	effect := madeEffects()[vendor]
	applied, lost := v.r.box(vendor).Happened(effect), v.r.box(vendor).LostCreates()[effect]
	if lost < v.r.Events {
		v.differ("%s: %d creates lost their answer, want %d", vendor, lost, v.r.Events)
	}
	a.say("%-10s creates applied %d, answers lost %d, objects %d, duplicates %d, missing %d",
		vendor+":", applied, lost, posted-missing+duplicates, duplicates, missing)
}

// customersAt returns the names of the customers that a vendor holds, by the
// key that they carry.
func (v *verdict) customersAt(vendor string) map[string][]string {
	b, all := v.r.world.boxes, map[string][]string{}
	add := func(key, name string) { all[key] = append(all[key], name) }
	switch vendor {
	case "hubspot":
		for _, c := range b.HubSpot.Records("company") {
			if isShops(c) {
				add(c["spoke_key"], c["name"])
			}
		}
	case "netsuite":
		for _, c := range b.NetSuite.Customers() {
			add(c.ExternalID, c.Name)
		}
	case "quickbooks":
		for _, c := range b.QuickBooks.Customers() {
			add(noteKey(text(c["Notes"])), text(c["DisplayName"]))
		}
	default:
		for _, c := range b.Stripe.Customers() {
			add(c.Key, c.Name)
		}
	}
	return all
}

// isShops reports whether a company of the portal stands for one of the shop.
func isShops(c map[string]string) bool {
	return c["spoke_key"] != "" || strings.HasPrefix(c["name"], "Shop customer")
}

var keyForm = regexp.MustCompile(`spoke-[a-z_]+-[0-9A-Za-z_-]+`)

// noteKey is the key in a note of QuickBooks; "" for none.
func noteKey(note string) string { return keyForm.FindString(note) }
