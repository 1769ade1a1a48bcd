package torture

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// relay stands between the vendors and ingest. It takes every webhook, and
// hands it on once or more, late, and in another order, to one replica or the
// other, until one has taken it.
type relay struct {
	targets []string // base URLs of ingest's replicas
	server  *http.Server
	url     string

	plan relayPlan
	mu   sync.Mutex
	rnd  *rand.Rand

	stop    context.CancelFunc
	wg      sync.WaitGroup
	pending atomic.Int64
	counts  relayCounts
}

// relayPlan is what share of the webhooks is repeated and delayed.
type relayPlan struct {
	repeat, delay float64
	// hold may keep a webhook back, and says so; nil keeps none.
	hold func(path string, header http.Header, body []byte) bool
}

// relayCounts is what a relay did to webhooks.
type relayCounts struct{ taken, repeated, delayed, retried atomic.Int64 }

const (
	maxDelay   = 1500 * time.Millisecond
	relayRetry = 200 * time.Millisecond
)

func newRelay(seed uint64, plan relayPlan) (*relay, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &relay{
		url: "http://" + l.Addr().String(), stop: stop, plan: plan,
		rnd: rand.New(rand.NewPCG(seed, 7)),
	}
	r.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.take(ctx, w, q)
	})}
	go func() { _ = r.server.Serve(l) }() // ends with close
	return r, nil
}

func (r *relay) close() {
	_ = r.server.Close()
	r.stop()
	r.wg.Wait()
}

// take answers the vendor at once; from here on the relay owns the delivery.
func (r *relay) take(ctx context.Context, w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(io.LimitReader(q.Body, 4<<20))
	if err != nil {
		http.Error(w, "cut off", http.StatusBadRequest)
		return
	}
	header, path := q.Header.Clone(), q.URL.RequestURI()
	r.counts.taken.Add(1)
	if r.plan.hold != nil && r.plan.hold(path, header, body) {
		w.WriteHeader(http.StatusOK)
		return
	}
	for _, delay := range r.copies() {
		r.pending.Add(1)
		r.wg.Add(1)
		go func() {
			defer r.wg.Done()
			defer r.pending.Add(-1)
			pause(ctx, delay)
			r.deliver(ctx, path, header, body)
		}()
	}
	w.WriteHeader(http.StatusOK)
}

// copies draws how often and how late a webhook arrives.
func (r *relay) copies() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	delays := []time.Duration{0}
	if r.rnd.Float64() < r.plan.delay {
		delays[0] = time.Duration(r.rnd.Int64N(int64(maxDelay)))
		r.counts.delayed.Add(1)
	}
	if r.rnd.Float64() < r.plan.repeat {
		delays = append(delays, time.Duration(r.rnd.Int64N(int64(2*maxDelay))))
		r.counts.repeated.Add(1)
	}
	return delays
}

func (r *relay) deliver(ctx context.Context, path string, header http.Header, body []byte) {
	for try := 0; ctx.Err() == nil; try++ {
		r.mu.Lock()
		target := r.targets[r.rnd.IntN(len(r.targets))]
		r.mu.Unlock()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target+path, bytes.NewReader(body)) //nolint:gosec // to a process of this run
		if err != nil {
			return
		}
		req.Header = header.Clone()
		resp, err := plain.Do(req) //nolint:gosec // as above
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode < 300 {
				return
			}
		}
		r.counts.retried.Add(1)
		pause(ctx, relayRetry)
	}
}
