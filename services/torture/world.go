package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/events"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// world is the portal and its model: what the load has made of it, and so what
// every other system should hold in the end.
type world struct {
	boxes  *demo.Sandboxes
	ingest []string // base URLs of ingest's replicas
	client *http.Client
	rnd    *rand.Rand

	mu        sync.Mutex
	companies []*company
	deals     []*deal
	paid      map[string]int64  // by Stripe invoice, in minor units
	tiers     map[string]string // upstream's last word, by company
	poison    []string          // ids of upstream companies that no vendor takes
	counts    loadCounts
}

type company struct {
	id, name, phone string
	touched         bool
}

type deal struct {
	id, company string
	cents       int64
	won         bool
}

// loadCounts is how often the load did what.
type loadCounts struct{ company, deal, won, upstream, paid, poison int }

const (
	firstCompany = 5001
	firstDeal    = 7001
	// token is the demo's upstream.
	token = "demo-upstream-token"
)

// newWorld seeds a portal of n companies with two deals each.
func newWorld(boxes *demo.Sandboxes, seed uint64, n int) (*world, error) {
	w := &world{
		boxes: boxes, paid: map[string]int64{}, tiers: map[string]string{},
		rnd: rand.New(rand.NewPCG(seed, 1)), client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: posters}},
	}
	for i := range n {
		c := &company{id: fmt.Sprint(firstCompany + i), name: fmt.Sprintf("Company %d", i), phone: "+1 503 555 0100"}
		if _, err := boxes.HubSpot.AddCompany(hubspotbox.Company{ID: c.id, Name: c.name, Phone: c.phone, Country: "US"}); err != nil {
			return nil, err
		}
		w.companies = append(w.companies, c)
	}
	for i := range 2 * n {
		d := &deal{id: fmt.Sprint(firstDeal + i), company: w.companies[i%n].id}
		seeded := hubspotbox.Deal{ID: d.id, Name: "Deal " + d.id, CloseDate: "2026-11-20", Company: d.company}
		for l := range 1 + w.rnd.IntN(3) {
			quantity, price := 1+w.rnd.Int64N(9), 1+w.rnd.Int64N(99_999)
			d.cents += quantity * price
			seeded.Lines = append(seeded.Lines, hubspotbox.Line{
				ID: fmt.Sprint(90_000 + 10*i + l), Product: "401", Name: "Field Sensor", SKU: "FS-100",
				Quantity: fmt.Sprint(quantity), Price: dollars(price),
			})
		}
		seeded.Amount = dollars(d.cents)
		if _, err := boxes.HubSpot.AddDeal(seeded); err != nil {
			return nil, err
		}
		w.deals = append(w.deals, d)
	}
	return w, nil
}

// dollars writes cents as an amount.
func dollars(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// step does one thing that some system will speak of. Most are changes to
// companies, as in a real portal.
func (w *world) step(ctx context.Context, n int) error {
	switch p := w.rnd.Float64(); {
	case p < 0.55:
		return w.changeCompany(n)
	case p < 0.75:
		return w.changeDeal(n)
	case p < 0.85:
		return w.win()
	case p < 0.93:
		return w.upstream(ctx, n)
	default:
		return w.pay()
	}
}

func (w *world) changeCompany(n int) error {
	c := w.companies[w.rnd.IntN(len(w.companies))]
	name, phone := fmt.Sprintf("Company %s v%d", c.id, n), fmt.Sprintf("+1 503 555 %04d", n%10_000)
	if err := w.boxes.HubSpot.Set("company", c.id, map[string]string{"name": name, "phone": phone}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.name, c.phone, c.touched = name, phone, true
	w.counts.company++
	return nil
}

// changeDeal touches what no other system has.
func (w *world) changeDeal(n int) error {
	d := w.deals[w.rnd.IntN(len(w.deals))]
	w.counts.deal++
	return w.boxes.HubSpot.SetDeal(d.id, map[string]string{"description": fmt.Sprintf("note %d", n)})
}

func (w *world) win() error {
	open := slices.DeleteFunc(slices.Clone(w.deals), func(d *deal) bool { return d.won })
	if len(open) == 0 {
		return nil
	}
	d := open[w.rnd.IntN(len(open))]
	d.won = true
	w.counts.won++
	return w.boxes.HubSpot.SetDeal(d.id, map[string]string{"dealstage": "closedwon"})
}

// pay pays a part or all of an open Stripe invoice.
func (w *world) pay() error {
	all := w.boxes.Stripe.Invoices()
	open := all[:0]
	for _, i := range all {
		if i.Status == "open" && i.Remaining > 0 {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return nil
	}
	i := open[w.rnd.IntN(len(open))]
	minor := i.Remaining
	if minor > 200 && w.rnd.IntN(2) == 0 {
		minor = 100 + w.rnd.Int64N(minor-100)
		if left := i.Remaining - minor; left < 100 { // what is left must be payable
			minor = i.Remaining
		}
	}
	if err := w.boxes.Stripe.Pay(i.ID, minor); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paid[i.ID] += minor
	w.counts.paid++
	return nil
}

// upstream posts what a shop of the company's own says of a company.
func (w *world) upstream(ctx context.Context, n int) error {
	id, tier := fmt.Sprint(1+w.rnd.IntN(20)), fmt.Sprintf("tier %d", n)
	if err := w.post(ctx, fmt.Sprintf("tier-%d", n), id, map[string]any{
		"name": "Shop customer " + id, "custom": map[string]any{"tier": tier},
	}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tiers[id] = tier
	w.counts.upstream++
	return nil
}

// addPoison posts a company that no vendor has a currency for.
func (w *world) addPoison(ctx context.Context, n int) error {
	id := fmt.Sprintf("poison-%d", n)
	if err := w.post(ctx, id, id, map[string]any{"name": "Poison " + id, "currency": poisonCurrency}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.poison = append(w.poison, id)
	w.counts.poison++
	return nil
}

// poisonCurrency is one that the sandboxes' accounts don't have.
const poisonCurrency = "OMR"

// post sends one event until a replica of ingest has taken it.
func (w *world) post(ctx context.Context, event, id string, data map[string]any) error {
	return w.postAs(ctx, "company", event, id, data)
}

// postAs posts an event about an object of any entity.
func (w *world) postAs(ctx context.Context, entity, event, id string, data map[string]any) error {
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": event, "source": "/shop", "type": "com.shop." + entity + ".changed.v1", "subject": entity + "/" + id,
		"time": time.Now().UTC().Format(time.RFC3339Nano), "data": data,
	})
	if err != nil {
		return err
	}
	for try := 0; ctx.Err() == nil; try++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.ingest[try%len(w.ingest)]+"/events", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", events.ContentType)
		resp, err := w.client.Do(req)
		if err == nil {
			answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			_ = resp.Body.Close()
			if resp.StatusCode < 300 {
				return nil
			}
			if resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
				return fmt.Errorf("torture: ingest refuses an event: %s %s", resp.Status, answer)
			}
		}
		pause(ctx, relayRetry)
	}
	return ctx.Err()
}
