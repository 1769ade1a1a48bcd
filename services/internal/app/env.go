// Package app wires services: it opens what they share, runs them, serves
// their health and metrics, and stops them in order.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/mapping"
	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/sink"
	"github.com/spoke-sync/spoke/services/internal/telemetry"
	"github.com/spoke-sync/spoke/services/internal/vault"
)

// Env is what the services of one process share.
type Env struct {
	Config   *config.Config
	Bus      *bus.Bus
	Flows    *mapping.Set
	Log      *slog.Logger
	Registry *prometheus.Registry
	// Version of the program, for telemetry.
	Version string

	owner   string // of what the sinks have under way; see sink.Config
	leftOut *prometheus.CounterVec
	vault   *vault.Vault
	budgets map[string]*budget.Budget
	// breakers by connection, for all services of the process.
	breakers map[string]*breaker.Breaker
	calls    *http.Transport
}

// Service is one of Spoke's services.
type Service struct {
	Name string
	// Run works until ctx ends and everything under way is done. ready is
	// called once the service takes work.
	Run func(ctx context.Context, e *Env, ready func()) error
}

// Options of Open.
type Options struct {
	Config  *config.Config
	Log     *slog.Logger
	Version string
	// Name shows in the NATS server's connection list.
	Name string
	// InProcess connects to an embedded server; nil uses Config.NATS.URL.
	InProcess nats.InProcessConnProvider
	// URL overrides Config.NATS.URL.
	URL string
	// Owns says that the store is this process's own, as an embedded one is:
	// whoever worked on it before under that name is gone. What was under way
	// then is taken over at once. Otherwise it is left to whoever may still
	// work on it, until its ack time and its lease are over.
	Owns bool
}

// storeOwner is the name of the one process that owns its store.
const storeOwner = "owner"

// Open compiles the flows, connects to NATS and creates what is missing there.
func Open(ctx context.Context, o Options) (*Env, error) {
	flows, err := o.Config.CompileFlows()
	if err != nil {
		return nil, err
	}
	url := o.Config.NATS.URL
	if o.URL != "" {
		url = o.URL
	}
	b, err := bus.Connect(ctx, bus.Options{
		URL: url, Name: o.Name, InProcess: o.InProcess, Credentials: o.Config.NATS.Credentials, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	e := &Env{
		Config: o.Config, Bus: b, Flows: flows, Log: o.Log, Registry: telemetry.NewRegistry(), Version: o.Version,
		budgets: map[string]*budget.Budget{}, breakers: map[string]*breaker.Breaker{}, calls: rest.NewTransport(),
	}
	e.leftOut = telemetry.Counter(e.Registry, "connector_left_out_total",
		"What a connector left out without an error, such as a webhook about another company.", "connection", "what")
	if o.Owns {
		e.owner = storeOwner
	}
	if err := e.prepare(ctx); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Env) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	topology := bus.NewTopology(bus.TopologyOptions{
		Tenant: e.Config.Tenant, Connections: e.Config.ConnectionNames(), Replicas: e.Config.NATS.Replicas,
	})
	if err := e.Bus.Provision(ctx, topology); err != nil {
		return err
	}
	if e.owner != "" {
		if err := patiently(ctx, e.Log, func(ctx context.Context) error { return e.Bus.Redeliver(ctx, topology) }); err != nil {
			return err
		}
	}
	key, err := vault.Key(e.Config.Data)
	if err != nil {
		return err
	}
	return patiently(ctx, e.Log, func(ctx context.Context) (err error) {
		if e.vault, err = vault.Open(ctx, e.Bus.JetStream(), bus.BucketTokens, key); err != nil {
			return err
		}
		if err = e.openBudgets(ctx); err != nil {
			return err
		}
		return e.openBreakers(ctx)
	})
}

// openBreakers watches the state of each connection.
func (e *Env) openBreakers(ctx context.Context) error {
	kv, err := e.Bus.JetStream().KeyValue(ctx, bus.BucketConnections)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bus.BucketConnections, err)
	}
	for _, connection := range e.Config.ConnectionNames() {
		if e.breakers[connection] != nil { // opened by an earlier try
			continue
		}
		e.breakers[connection], err = breaker.Open(ctx, breaker.Options{
			KV: kv, Connection: connection, Lanes: sink.DefaultLanes, Log: e.Log,
			Changed: func(c events.Condition) { e.tell(connection, c) },
		})
		if err != nil {
			delete(e.breakers, connection)
			return err
		}
	}
	return nil
}

// alertLimit bounds the storing of an alert.
const alertLimit = 5 * time.Second

// tell alerts operators of conditions that are not good ones.
func (e *Env) tell(connection string, c events.Condition) {
	a := events.Alert{Severity: "critical", Connection: connection, Message: c.Reason, Hint: c.Hint}
	switch c.State {
	case breaker.StateOpen:
		a.Kind = "breaker"
	case breaker.StateUnauthorized:
		a.Kind = fault.Unauthorized.String()
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), alertLimit)
	defer cancel()
	if err := e.Bus.Alert(ctx, a); err != nil {
		e.Log.Error("alert not stored", "connection", connection, "kind", a.Kind, "error", err)
	}
}

// Paused reports whether an operator has paused a connection: then nothing
// calls the vendor.
func (e *Env) Paused(connection string) bool {
	b, ok := e.breakers[connection]
	return ok && b.Paused()
}

// openBudgets opens the budget of each connection; connections to one account
// may share one.
func (e *Env) openBudgets(ctx context.Context) error {
	kv, err := e.Bus.JetStream().KeyValue(ctx, bus.BucketBudgets)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bus.BucketBudgets, err)
	}
	shared := map[string]*budget.Budget{}
	for _, connection := range e.Config.ConnectionNames() {
		name, limits := e.Config.Budget(connection)
		if b := e.budgets[connection]; b != nil { // opened by an earlier try
			shared[name] = b
		}
		if shared[name] == nil {
			b, err := budget.Open(ctx, budget.Options{KV: kv, Name: name, Limits: e.Config.Limits(limits), Log: e.Log})
			if err != nil {
				return err
			}
			shared[name] = b
		}
		e.budgets[connection] = shared[name]
	}
	return nil
}

// Close releases what Open took.
func (e *Env) Close() {
	for _, b := range e.budgets {
		b.Close()
	}
	for _, b := range e.breakers {
		b.Close()
	}
	e.calls.CloseIdleConnections()
	e.Bus.Close()
}

// Tracer returns the tracer of a service.
func (e *Env) Tracer(service string) trace.Tracer { return telemetry.Tracer(service) }

// Connect opens a connection's connector for a service. Every call it makes
// counts against the connection's budget.
func (e *Env) Connect(service, connection string) (connector.Connector, error) {
	kind := e.Config.Kind(connection)
	transport := otelhttp.NewTransport(
		e.breakers[connection].Transport(e.budgets[connection].Transport(e.calls)),
		otelhttp.WithTracerProvider(telemetry.Provider(service)),
		// Vendors are not told about our traces.
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + connection }),
	)
	c, err := kind.Open(e.Config.Settings(connection), connector.Deps{
		Connection: connection, Tenant: e.Config.Tenant, Log: e.Log.With("connection", connection),
		HTTP: rest.NewHTTP(transport), Now: time.Now, Tokens: e.vault.Tokens(connection),
		Alert: func(ctx context.Context, a events.Alert) {
			a.Connection = connection
			if err := e.Bus.Alert(ctx, a); err != nil {
				e.Log.Error(service+": alert not stored", "connection", connection, "kind", a.Kind, "error", err)
			}
		},
		Count: func(what string, n int) { e.leftOut.WithLabelValues(connection, what).Add(float64(n)) },
	})
	if err != nil {
		return connector.Connector{}, fmt.Errorf("connection %s: %w", connection, err)
	}
	return c, nil
}

// ConnectAll opens every connection and reports all that fail.
func (e *Env) ConnectAll(service string) (map[string]connector.Connector, error) {
	all := map[string]connector.Connector{}
	var errs []error
	for _, name := range e.Config.ConnectionNames() {
		c, err := e.Connect(service, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[name] = c
	}
	return all, errors.Join(errs...)
}
