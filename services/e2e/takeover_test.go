package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/vault"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// TestTakeover runs two replicas of every service. In each sink, the replica
// that makes the first write of an order, invoice or deal is killed while the
// vendor has done it and not answered. Then the replicas of the other services
// that were started first are killed while a deal is under way. What they had
// goes on elsewhere, and nothing is made twice.
func TestTakeover(t *testing.T) {
	t.Parallel()
	p := newPairs(t)
	win(t, p.boxes, firstDeal)
	for vendor := range awkward() {
		victim := <-p.traps[vendor].caught
		p.services[replica(vendor+"-sink", victim)].kill()
		p.killed(vendor)
	}
	numbered(t, p.boxes, firstDeal)
	pay(t, p.boxes, firstDeal)
	paid(t, p.boxes, firstDeal)

	win(t, p.boxes, secondDeal)
	for _, name := range []string{"ingest", "transform", "warehouse-sink"} {
		p.services[replica(name, 0)].kill()
	}
	began := time.Now()
	numbered(t, p.boxes, secondDeal)
	t.Logf("second deal numbered %s after the kill of ingest, transform and warehouse-sink", time.Since(began).Round(10*time.Millisecond))
	pay(t, p.boxes, secondDeal)
	paid(t, p.boxes, secondDeal)
	madeOnce(t, p.boxes, []string{firstDeal, secondDeal}, []string{firstCompany, secondCompany})
	for vendor := range awkward() {
		took := p.took(vendor)
		t.Logf("%s-sink: its document is done %s after the kill, of 15 s", vendor, took.Round(10*time.Millisecond))
	}
	p.inTheLake()
}

// awkward tells, by vendor, which call a replica is killed in: after it took
// effect, before its answer.
func awkward() map[string]func(*http.Request) bool {
	is := func(method, part string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, part) }
	}
	return map[string]func(*http.Request) bool{
		"netsuite":   is(http.MethodPut, "/salesOrder/"),
		"quickbooks": is(http.MethodPost, "/invoice"),
		"stripe":     is(http.MethodPost, "/v1/invoices"),
		"hubspot":    is(http.MethodPatch, "/deals/"),
	}
}

// pairs is a cluster with two replicas of each service. Each calls the vendors
// through a trap of its own.
type pairs struct {
	*cluster
	traps map[string]*trap

	mu   sync.Mutex
	dead map[string]time.Time // by vendor
	done map[string]time.Time // by vendor: the first outcome after that
}

// replica names the first or second replica of a service.
func replica(name string, n int) string { return fmt.Sprintf("%s/%d", name, n+1) }

func newPairs(t *testing.T) *pairs {
	t.Helper()
	server := startNATS(t, tool(t, "nats-server"))
	listen := []string{freeAddress(t), freeAddress(t)}
	front := httptest.NewServer(balance(t, listen))
	t.Cleanup(front.Close)
	address := strings.TrimPrefix(front.URL, "http://")
	boxes, err := demo.Open(demo.SandboxOptions{Ingest: front.URL, Log: discard()})
	require.NoError(t, err)
	t.Cleanup(boxes.Close)
	p := &pairs{
		cluster: &cluster{
			t: t, boxes: boxes, data: t.TempDir(), ingest: front.URL, services: map[string]*service{},
			env: []string{"SPOKE_NATS_URL=" + server, vault.EnvKey + "=" + newKey(t)},
		},
		traps: map[string]*trap{}, dead: map[string]time.Time{}, done: map[string]time.Time{},
	}
	for vendor, match := range awkward() {
		p.traps[vendor] = &trap{match: match, caught: make(chan int, 1)}
	}
	p.config = writeConfig(t, boxes.Config(p.data, address)) // for explain
	for n := range listen {
		text := boxes.Config(p.data, address)
		for vendor, trap := range p.traps {
			text = strings.ReplaceAll(text, boxes.URLs[vendor], trap.serve(t, n, boxes.URLs[vendor]))
		}
		config := writeConfig(t, text)
		for _, name := range standalone() {
			s := &service{address: freeAddress(t)}
			s.env = append(append([]string{}, p.env...), "SPOKE_METRICS_LISTEN="+s.address)
			if name == "ingest" {
				s.address = listen[n]
				s.env = append(s.env, "SPOKE_LISTEN="+listen[n])
			}
			s.process = start(t, program(t, name), s.env, "-c", config)
			p.services[replica(name, n)] = s
		}
	}
	for name := range p.services {
		p.ready(name)
	}
	t.Cleanup(p.explain)
	p.listen(server)
	return p
}

// balance sends each request to the first ingest that takes it, as a load
// balancer does.
func balance(t *testing.T, hosts []string) http.Handler {
	t.Helper()
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.Host = "http", r.In.Host
			r.Out.URL.Host = hosts[1]
			if c, err := net.DialTimeout("tcp", hosts[0], time.Second); err == nil {
				_ = c.Close()
				r.Out.URL.Host = hosts[0]
			}
		},
		Transport: client.Transport,
		// The vendor sends it again.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// trap stands before a vendor. It keeps the answer of the first call that
// matches, whichever replica makes it.
type trap struct {
	match  func(*http.Request) bool
	sprung atomic.Bool
	caught chan int // the replica that made the call
}

// serve returns the vendor's address for a replica.
func (p *trap) serve(t *testing.T, n int, vendor string) string {
	t.Helper()
	u, err := url.Parse(vendor)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // signatures cover it
		},
		Transport:    client.Transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.match(r) || !p.sprung.CompareAndSwap(false, true) {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		p.caught <- n
		<-r.Context().Done() // its caller is dead
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// killed notes when a sink was killed.
func (p *pairs) killed(vendor string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead[vendor] = time.Now()
}

// listen notes when the sinks tell what they have done.
func (p *pairs) listen(server string) {
	p.t.Helper()
	nc, err := nats.Connect(server)
	require.NoError(p.t, err)
	p.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(p.t, err)
	cons, err := js.OrderedConsumer(p.t.Context(), events.StreamEvents, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"events.*.*.*.written.>"},
	})
	require.NoError(p.t, err)
	running, err := cons.Consume(func(m jetstream.Msg) {
		_, o, err := events.DecodeOutcome(m.Data())
		if err != nil || o.State != events.StateDone || o.Record.String() != "deal/"+firstDeal {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, known := p.done[o.Connection]; !known && !p.dead[o.Connection].IsZero() {
			p.done[o.Connection] = time.Now()
		}
	})
	require.NoError(p.t, err)
	p.t.Cleanup(func() { running.Stop(); <-running.Closed() })
}

// took returns how long after the kill of a sink its document was done.
func (p *pairs) took(vendor string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Contains(p.t, p.done, vendor)
	return p.done[vendor].Sub(p.dead[vendor])
}

// inTheLake waits for the rows of both deals.
func (p *pairs) inTheLake() {
	p.t.Helper()
	await(p.t, "both deals in the lake", func() bool {
		got := map[string]bool{}
		for _, row := range parquetRows(p.data + "/lake/outcomes") {
			if row["object"] == "salesOrder" && row["state"] == "done" {
				got[row["record"]] = true
			}
		}
		return len(got) == 2
	})
}
