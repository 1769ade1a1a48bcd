package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// mailbox keeps what vendors announce until all of it is delivered at once.
type mailbox struct {
	mu      sync.Mutex
	open    bool // nothing is kept any more
	notices []notice
	err     error
}

// notice is what a vendor announces of one object: an element of HubSpot's and
// QuickBooks's deliveries, the whole of Stripe's.
type notice struct {
	vendor string
	raw    json.RawMessage
}

// hold keeps a delivery. It reports false when the mailbox is open: the delivery
// is then its caller's.
func (m *mailbox) hold(uri string, _ http.Header, body []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open {
		return false
	}
	vendor := path.Base(uri)
	if vendor == "stripe" {
		m.notices = append(m.notices, notice{vendor, body})
		return true
	}
	var each []json.RawMessage
	if err := json.Unmarshal(body, &each); err != nil {
		m.err = fmt.Errorf("torture: delivery of %s: %w", vendor, err)
	}
	for _, raw := range each {
		m.notices = append(m.notices, notice{vendor, raw})
	}
	return true
}

// empty opens the mailbox and returns what was kept.
func (m *mailbox) empty() ([]notice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open = true
	return m.notices, m.err
}

// largest is how many notices one delivery of a vendor has at most.
var largest = map[string]int{"hubspot": 100, "quickbooks": 20, "stripe": 1}

// deliveries puts notices, in their order, into deliveries of random size.
func deliveries(notices []notice, rnd *rand.Rand) [][]notice {
	var all [][]notice
	open, size := map[string][]notice{}, map[string]int{}
	for _, n := range notices {
		if size[n.vendor] == 0 {
			size[n.vendor] = 1 + rnd.IntN(largest[n.vendor])
		}
		if open[n.vendor] = append(open[n.vendor], n); len(open[n.vendor]) == size[n.vendor] {
			all = append(all, open[n.vendor])
			open[n.vendor], size[n.vendor] = nil, 0
		}
	}
	for _, vendor := range vendors {
		if len(open[vendor]) > 0 {
			all = append(all, open[vendor])
		}
	}
	return all
}

// deliver posts every delivery, some at once, each until ingest has taken it.
func (r *run) deliver(ctx context.Context, all [][]notice, taken func(n int)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(posters)
	for _, d := range all {
		g.Go(func() error {
			err := r.post(ctx, d)
			taken(len(d))
			return err
		})
	}
	return g.Wait()
}

// post posts one delivery until ingest has taken it. Each try is signed anew, as
// the vendors do it: a signature holds for minutes.
func (r *run) post(ctx context.Context, d []notice) error {
	vendor := d[0].vendor
	body := []byte(d[0].raw)
	if vendor != "stripe" {
		each := make([]json.RawMessage, len(d))
		for i, n := range d {
			each[i] = n.raw
		}
		var err error
		if body, err = json.Marshal(each); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		uri := "/webhooks/" + vendor
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.relay.targets[0]+uri, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.sign(req, vendor, uri, body)
		resp, err := r.world.client.Do(req)
		if err == nil {
			answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // for an error only
			_ = resp.Body.Close()
			switch {
			case resp.StatusCode < 300:
				return nil
			case resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests:
				return fmt.Errorf("torture: ingest refuses a webhook of %s: %s %s", vendor, resp.Status, answer)
			}
		}
		r.relay.counts.retried.Add(1)
		pause(ctx, relayRetry)
	}
	return ctx.Err()
}

// sign puts a vendor's signature on a delivery. HubSpot signs the address that
// it knows: the relay's.
func (r *run) sign(req *http.Request, vendor, uri string, body []byte) {
	now := time.Now()
	req.Header.Set("Content-Type", "application/json")
	switch vendor {
	case "hubspot":
		req.Header.Set("X-HubSpot-Request-Timestamp", fmt.Sprint(now.UnixMilli()))
		req.Header.Set("X-HubSpot-Signature-v3", hubspotbox.SignV3(hubspotbox.DefaultClientSecret, req.Method, r.relay.url+uri, body, now))
	case "quickbooks":
		req.Header.Set("intuit-signature", quickbooksbox.Sign(quickbooksbox.DefaultVerifierToken, body))
	default:
		req.Header.Set("Stripe-Signature", stripebox.Sign(demo.StripeSecret, body, now))
	}
}
