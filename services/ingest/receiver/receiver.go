// Package receiver is Spoke's front door: vendors' webhooks and upstream
// systems' CloudEvents come in over HTTP, are checked, and stand on the
// EVENTS stream when the caller is told 2xx (rule 1). What is refused leaves
// nothing behind but a count.
//
// It decides nothing about records: the same event twice, or two events in
// the wrong order, are merge's business.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/secret"
	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// Config is what an operator may set. DefaultConfig has a value for all but
// PublicURL.
type Config struct {
	// Tenant is the token in every subject.
	Tenant string
	// PublicURL is scheme, host and path prefix as vendors call it; some sign
	// it. When it is empty the request's own host is taken.
	PublicURL string
	// MaxBody bounds a webhook and a single event, in bytes.
	MaxBody int64
	// MaxBatchBody bounds a batch of events, in bytes.
	MaxBatchBody int64
	// MaxInFlight bounds the bodies that are worked on at once, in bytes.
	MaxInFlight int64
	// MaxMessage is the NATS server's limit for one message, in bytes.
	MaxMessage int64
	// PublishTimeout is how long a caller waits for the store. Vendors give
	// up after 3 (QuickBooks) to 20 seconds and call again.
	PublishTimeout time.Duration
	// Remember is how many stored events the repeat filter knows.
	Remember int
}

// DefaultConfig returns the settings of the main tenant.
func DefaultConfig() Config {
	return Config{
		Tenant: "main", MaxBody: 1 << 20, MaxBatchBody: 8 << 20, MaxInFlight: 128 << 20,
		MaxMessage: 1 << 20, PublishTimeout: 10 * time.Second, Remember: 100_000,
	}
}

// MaxEvents is the most events of one batch: what one atomic publish holds,
// so that a batch is stored whole or not at all.
const MaxEvents = bus.MaxBatch

// Upstream is a system that posts CloudEvents.
type Upstream struct {
	// Name is the connection that its changes speak for.
	Name  string
	Token secret.Value
}

// Publisher stores messages, all or none, and returns when they are on disk.
// *bus.Group is one.
type Publisher interface {
	Publish(ctx context.Context, msgs ...bus.Message) error
}

// Deps is what the program wires.
type Deps struct {
	// Webhooks by connection. A nil one is the same as none.
	Webhooks  map[string]connector.Webhooks
	Upstreams []Upstream
	Publisher Publisher
	// Apart stores a message on QUARANTINE. Nil refuses a genuine webhook that
	// can't be read, so that its vendor delivers it again.
	Apart func(context.Context, bus.Message) error
	// Hears reports whether a connection's webhooks are listened to for an
	// operation on an entity; nil is always.
	Hears func(connection string, e events.Entity, op events.Op) bool
	// Ready reports whether the store can be reached; see BusReady.
	Ready func(context.Context) error
	// Registry takes the metrics and is served; nil for neither.
	Registry *prometheus.Registry
	// Tracer may be nil.
	Tracer trace.Tracer
	Log    *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Receiver is an http.Handler for everything that ingest serves.
type Receiver struct {
	config   Config
	public   string // PublicURL without a slash at its end
	webhooks map[string]connector.Webhooks
	keys     keyring
	store    *store
	apart    func(context.Context, bus.Message) error
	hears    func(string, events.Entity, events.Op) bool
	ready    func(context.Context) error
	meter    *meter
	tracer   trace.Tracer
	log      *slog.Logger
	now      func() time.Time
	inFlight *semaphore.Weighted
	draining atomic.Bool
	mux      *http.ServeMux
}

// New checks the settings and reports every problem at once.
func New(c Config, d Deps) (*Receiver, error) {
	keys, err := newKeyring(d.Upstreams)
	if d.Publisher == nil {
		err = errors.Join(err, errors.New("no publisher"))
	}
	if err := errors.Join(err, c.validate()); err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Tracer == nil {
		d.Tracer = telemetry.Tracer("ingest")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Ready == nil {
		d.Ready = func(context.Context) error { return nil }
	}
	if d.Hears == nil {
		d.Hears = func(string, events.Entity, events.Op) bool { return true }
	}
	m := newMeter(d.Registry)
	r := &Receiver{
		config: c, public: strings.TrimRight(c.PublicURL, "/"), webhooks: d.Webhooks, keys: keys,
		store: newStore(c, d.Publisher, m), apart: d.Apart, hears: d.Hears, ready: d.Ready, meter: m, tracer: d.Tracer, log: d.Log, now: d.Now,
		inFlight: semaphore.NewWeighted(c.MaxInFlight), mux: http.NewServeMux(),
	}
	r.mux.Handle("/webhooks/{connection}", r.route(routeWebhooks, r.serveWebhook))
	r.mux.Handle("/events", r.route(routeEvents, r.serveEvents))
	r.mux.HandleFunc("/healthz", r.serveHealth)
	r.mux.HandleFunc("/readyz", r.serveReady)
	if d.Registry != nil {
		r.mux.Handle("GET /metrics", telemetry.Handler(d.Registry))
	}
	r.mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		writeProblem(w, req, refuse(codeNotFound, "there is nothing at this path"))
	})
	return r, nil
}

func (c Config) validate() error {
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Tenant == "" {
		report("no tenant")
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" &&
		(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "") {
		report("public URL %q: want scheme and host, such as https://spoke.example.com", c.PublicURL)
	}
	for name, n := range map[string]int64{
		"MaxBody": c.MaxBody, "MaxBatchBody": c.MaxBatchBody, "MaxMessage": c.MaxMessage - headerRoom,
		"PublishTimeout": int64(c.PublishTimeout), "Remember": int64(c.Remember),
	} {
		if n <= 0 {
			report("%s is too small", name)
		}
	}
	if c.MaxInFlight < max(c.MaxBody, c.MaxBatchBody) {
		report("MaxInFlight is too small for one body")
	}
	return errors.Join(problems...)
}

// ServeHTTP answers one request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// Drain makes /readyz fail, so that no new callers are sent here. What comes
// all the same is still served until the HTTP server shuts down.
func (r *Receiver) Drain() { r.draining.Store(true) }
