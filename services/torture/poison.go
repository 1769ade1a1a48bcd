package torture

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// The scenario poison: of the events of the upstream, one in a hundred can't be
// done, for one of several causes. Then the causes are mended and everything
// that was set apart is tried again.

const (
	// poisonShare is how many events of a hundred are poison.
	poisonShare = 1
	// newsEach is how often the shop speaks of one company.
	newsEach = 5
	// NetSuite's books are closed before a day, QuickBooks's up to one, and both
	// are open on openDay.
	closedBefore, closedDay, openDay = "2026-10-01", "2026-09-15", "2026-11-20"
	closedUpTo, longClosedDay        = "2026-08-31", "2026-08-15"
	// shopSKU is an item that NetSuite has.
	shopSKU = "FS-100"
)

// cause is a reason for which an event can't be done.
type cause struct {
	name string
	// begin sets the trap for an event; may be nil.
	begin func(r *run, id string) error
	// event is what is posted: the entity and its data.
	event func(id string) (entity string, data map[string]any)
	// apart are the connection and the field of what is set apart; "" is the
	// upstream, whose event can't be merged.
	apart [2]string
	// mend takes the cause of one event away, and once that of all.
	mend func(ctx context.Context, r *run, id string) error
	once func(r *run)
}

func causes() []cause {
	return []cause{
		{
			name:  "a currency that NetSuite lacks",
			event: func(id string) (string, map[string]any) { return poisonCompany(id, "currency", poisonCurrency) },
			apart: [2]string{"netsuite", "currency"},
			once:  func(r *run) { r.world.boxes.NetSuite.AddCurrency(poisonCurrency) },
		},
		{
			name:  "a date in NetSuite's closed books",
			event: func(id string) (string, map[string]any) { return "deal", poisonDeal(id, closedDay) },
			apart: [2]string{"netsuite", "tranDate"},
			once:  func(r *run) { r.world.boxes.NetSuite.ClosePeriod("") },
		},
		{
			name:  "a date in QuickBooks's closed books, and in NetSuite's",
			event: func(id string) (string, map[string]any) { return "deal", poisonDeal(id, longClosedDay) },
			apart: [2]string{"quickbooks", "TxnDate"},
			mend: func(ctx context.Context, r *run, id string) error { // the shop corrects itself
				return r.world.postAs(ctx, "deal", "corrected-"+id, id, poisonDeal(id, openDay))
			},
		},
		{
			name:  "an invoice number that is taken at QuickBooks",
			begin: takeNumber,
			event: func(id string) (string, map[string]any) { return "deal", poisonDeal(id, openDay) },
			apart: [2]string{"quickbooks", "DocNumber"},
			mend:  freeNumber,
		},
		{
			name:  "a country that Stripe does not know",
			event: func(id string) (string, map[string]any) { return poisonCompany(id, "country", "Atlantis") },
			apart: [2]string{"stripe", "address.country"},
			mend: func(ctx context.Context, r *run, id string) error { // the shop corrects itself
				_, data := poisonCompany(id, "country", "US")
				return r.world.postAs(ctx, "company", "corrected-"+id, id, data)
			},
		},
		{
			name:  "a company that may be either of two",
			begin: twins,
			event: func(id string) (string, map[string]any) { return poisonCompany(id, "domain", twinDomain(id)) },
			apart: [2]string{"shop", "domain"},
			mend:  apartTwins,
		},
	}
}

func poisonCompany(id, field, value string) (entity string, data map[string]any) {
	return "company", map[string]any{"name": "Poison " + id, field: value}
}

// poisonDeal is a won deal of the first company of the shop.
func poisonDeal(id, day string) map[string]any {
	price := map[string]any{"amount": "149.00", "currency": "USD"}
	link := func(object string) map[string]any { return map[string]any{"object": object, "id": "1"} }
	return map[string]any{
		"name": "Poison " + id, "won": true, "closeDate": day, "amount": price, "company": link("company"),
		"lines": []any{map[string]any{"id": "1", "product": link("product"), "name": "Field Sensor", "quantity": "1", "price": price, "amount": price}},
	}
}

func poisonScenario() scenario {
	return scenario{
		setup: setup{replicas: 1, limits: roomy(), quiet: time.Hour, relay: relayPlan{repeat: 0.2, delay: 0.3}},
		play:  playPoison,
	}
}

// poisoned is one event that can't be done.
type poisoned struct {
	cause
	id     string
	entity events.Entity
}

func (p poisoned) record() events.Key { return events.Key{Entity: p.entity, ID: "shop-" + p.id} }

func playPoison(ctx context.Context, r *run, a *Account) error {
	all, err := r.trap(ctx)
	if err != nil {
		return err
	}
	companies, err := r.postNews(ctx, all)
	if err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		a.Problems = append(a.Problems, err.Error())
	}
	v := &verdict{r: r}
	b, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := v.setApart(ctx, b, all, a); err != nil {
		return err
	}
	v.companies(companies, a)
	if err := r.mend(ctx, all); err != nil {
		return err
	}
	if err := r.retryAll(ctx, a); err != nil {
		return err
	}
	if err := r.finish(ctx, v, a); err != nil {
		return err
	}
	if err := v.nothingApart(ctx, b, a); err != nil {
		return err
	}
	v.companies(companies, a)
	v.mended(all, a)
	a.Differences = v.differences
	return nil
}

// trap draws the causes and sets the traps. What people do at the vendors for it
// is merged before the shop speaks.
func (r *run) trap(ctx context.Context) ([]poisoned, error) {
	b := r.world.boxes
	b.NetSuite.ClosePeriod(closedBefore)
	b.QuickBooks.CloseBooks(closedUpTo)
	b.QuickBooks.AddCurrency(poisonCurrency)
	var all []poisoned
	for i := range max(r.Events*poisonShare/100, len(causes())) {
		p := poisoned{cause: causes()[i%len(causes())], id: fmt.Sprintf("poison-%d", i+1)}
		entity, _ := p.event(p.id)
		p.entity = events.Entity(entity)
		if p.begin != nil {
			if err := p.begin(r, p.id); err != nil {
				return nil, err
			}
		}
		all = append(all, p)
	}
	return all, r.settle(ctx)
}

// postNews posts what the shop says of its companies, some at once, with the
// poison in between. It returns the last name of each company.
func (r *run) postNews(ctx context.Context, all []poisoned) (map[string]string, error) {
	product := map[string]any{"name": "Field Sensor", "sku": shopSKU, "price": map[string]any{"amount": "149.00", "currency": "USD"}}
	if err := r.world.postAs(ctx, "product", "product-1", "1", product); err != nil {
		return nil, err
	}
	companies := map[string]string{}
	var jobs []func(ctx context.Context) error
	var posted atomic.Int64
	for i := range max((r.Events-len(all))/newsEach, 1) {
		id := fmt.Sprint(i + 1)
		companies[id] = fmt.Sprintf("Shop customer %s v%d", id, newsEach)
		jobs = append(jobs, func(ctx context.Context) error {
			for n := range newsEach { // one after the other: the shop's clock tells which is the newest
				data := map[string]any{"name": fmt.Sprintf("Shop customer %s v%d", id, n+1), "email": "buyer." + id + "@example.com"}
				if err := r.world.post(ctx, fmt.Sprintf("company-%s-%d", id, n), id, data); err != nil {
					return err
				}
				posted.Add(1)
			}
			return nil
		})
	}
	for _, p := range all {
		jobs = append(jobs, func(ctx context.Context) error {
			entity, data := p.event(p.id)
			posted.Add(1)
			return r.world.postAs(ctx, entity, p.id, p.id, data)
		})
	}
	rnd := rand.New(rand.NewPCG(r.Seed, 4))
	rnd.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	stop := r.telling(func() string {
		return fmt.Sprintf("%d events posted, customers made: NetSuite %d, QuickBooks %d, Stripe %d", posted.Load(),
			r.box("netsuite").Happened("customer created"), r.box("quickbooks").Happened("Customer created"), r.box("stripe").Happened("customer created"))
	})
	defer stop()
	return companies, postAll(ctx, len(jobs), func(ctx context.Context, i int) error { return jobs[i](ctx) })
}

// mend takes the causes away.
func (r *run) mend(ctx context.Context, all []poisoned) error {
	for _, c := range causes() {
		if c.once != nil {
			c.once(r)
		}
	}
	for _, p := range all {
		if p.mend == nil {
			continue
		}
		if err := p.mend(ctx, r, p.id); err != nil {
			return fmt.Errorf("mend %s: %w", p.id, err)
		}
	}
	return r.settle(ctx)
}

// retryAll is what an operator does then.
func (r *run) retryAll(ctx context.Context, a *Account) error {
	cmd := exec.CommandContext(ctx, r.Programs.service(Command), "quarantine", "retry", "--all", "-c", r.config) //nolint:gosec // a program that the caller built
	cmd.Env = append(os.Environ(), r.services[0].env...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("spoke quarantine retry --all: %w: %s%s", err, out.String(), problem.String())
	}
	a.say("spoke quarantine retry --all: %s", strings.Join(strings.Fields(out.String()), " "))
	return nil
}
