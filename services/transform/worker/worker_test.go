package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
	"github.com/spoke-sync/spoke/services/internal/match"
	"github.com/spoke-sync/spoke/services/transform/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenant = "t"
	crm    = "crm"  // the hub
	bank   = "bank" // a spoke that speaks of invoices and payments
	erp    = "erp"  // a spoke that is written to
	shop   = "shop" // an upstream
)

// How long a condition may take on a busy machine, and how often it is asked.
const (
	wait = 30 * time.Second
	tick = 5 * time.Millisecond
)

var t0 = time.Date(2020, 11, 23, 9, 0, 0, 0, time.UTC)

func kinds() map[string]connector.Kind {
	return map[string]connector.Kind{
		crm: {Name: crm, Title: "CRM", Hub: true, Objects: []connector.Object{
			{Name: "deal", Entity: events.EntityDeal},
			{Name: "company", Entity: events.EntityCompany},
			{Name: "contact", Entity: events.EntityContact},
		}},
		bank: {Name: bank, Title: "Bank", Objects: []connector.Object{
			{Name: "invoice", Entity: events.EntityInvoice},
			{Name: "payment", Entity: events.EntityPayment},
		}},
		erp: {Name: erp, Title: "ERP", Objects: []connector.Object{
			{Name: "customer", Entity: events.EntityCompany, Can: connector.Create | connector.Update, Fields: []connector.Field{
				{Name: "name", Type: connector.FieldString}, {Name: "tax", Type: connector.FieldDecimal},
			}},
			{Name: "order", Entity: events.EntityOrder, Can: connector.Create | connector.Update, Fields: []connector.Field{
				{Name: "memo", Type: connector.FieldString},
			}},
			{Name: "receipt", Entity: events.EntityPayment, Can: connector.Create | connector.Update, Fields: []connector.Field{
				{Name: "order", Type: connector.FieldRef, Ref: "order"},
			}},
		}},
	}
}

const flows = `flow: customer
from: company
to: erp
object: customer
fields:
  name: company.name
  tax: company.custom.tax
---
flow: order
from: deal
to: erp
object: order
fields:
  memo: deal.name
---
flow: receipt
from: payment
to: erp
object: receipt
fields:
  order: ref(payment.invoice)
`

// rig is an embedded server with the whole topology.
type rig struct {
	t   *testing.T
	bus *bus.Bus
	set *mapping.Set
	// policy is that of the workers; change it before worker.
	policy hub.Policy
	match  match.Rules
}

func newRig(t *testing.T) *rig {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: tenant, Connections: []string{erp}, Replicas: 1})))
	var targets []mapping.Target
	for name, k := range kinds() {
		targets = append(targets, mapping.Target{Name: name, Kind: k})
	}
	set, err := mapping.Compile(files(flows), targets)
	require.NoError(t, err)
	return &rig{t: t, bus: b, set: set, policy: hub.Policy{Hub: crm}}
}

func files(text string) []mapping.File {
	var out []mapping.File
	for i, part := range strings.Split(text, "---\n") {
		out = append(out, mapping.File{Name: fmt.Sprint("flow", i, ".yaml"), Text: []byte(part)})
	}
	return out
}

// worker opens one replica. Its reads come soon, so that tests are quick.
func (r *rig) worker(readers map[string]connector.Reader) *worker.Worker {
	r.t.Helper()
	w, err := worker.New(r.t.Context(), worker.Config{
		Tenant: tenant, Kinds: kinds(), Flows: r.set, Policy: r.policy, Match: r.match,
		Quiet: 100 * time.Millisecond, MaxWait: time.Second,
	}, worker.Deps{
		Bus: r.bus, Readers: readers, Log: slog.New(slog.DiscardHandler), Tracer: noop.NewTracerProvider().Tracer(""),
	})
	require.NoError(r.t, err)
	return w
}

// run starts a replica; stop waits until it has ended.
func (r *rig) run(w *worker.Worker) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	r.t.Cleanup(stop)
	return stop
}

// change makes a change of fields; "record" and "link" helpers fill them in.
func change(connection, object string, entity events.Entity, id string, minute int, fields events.Fields) events.Change {
	return events.Change{
		Connection: connection, Entity: entity, Object: object, ID: id, Op: events.OpChanged,
		At: t0.Add(time.Duration(minute) * time.Minute), Fields: fields,
	}
}

func named(name string) events.Fields {
	f := events.Fields{}
	f.Set("name", name)
	return f
}

func linked(field, object, id string) events.Fields {
	f := events.Fields{}
	f.Set(field, events.Link{Object: object, ID: id})
	return f
}

// say publishes changes as ingest would.
func (r *rig) say(id string, c events.Change) {
	r.t.Helper()
	r.put(events.EventSubject(tenant, c.Connection, c.Entity, c.Op, c.ID), events.NewChange(c.Connection, id, c))
}

// tell publishes an outcome as a sink would.
func (r *rig) tell(id string, o events.Outcome) {
	r.t.Helper()
	r.put(events.EventSubject(tenant, o.Connection, o.Entity, events.OpWritten, o.Record.String()), events.NewOutcome(o.Connection, id, o))
}

func (r *rig) put(subject string, e events.Event) {
	r.t.Helper()
	m, err := bus.EncodeEvent(r.t.Context(), subject, e)
	require.NoError(r.t, err)
	_, err = r.bus.Publish(r.t.Context(), m)
	require.NoError(r.t, err)
}

// invoiced is the outcome by which the bank's invoice stands for a deal.
func invoiced(invoice string, deal events.Key, minute int) events.Outcome {
	return events.Outcome{
		Connection: bank, Entity: events.EntityInvoice, Object: "invoice", Record: deal, State: events.StateDone,
		Effect: events.EffectCreated, ID: invoice, Hash: "h", Sequence: 1, At: t0.Add(time.Duration(minute) * time.Minute), Attempts: 1,
	}
}

func key(e events.Entity, id string) events.Key { return events.Key{Entity: e, ID: id} }

// record returns a golden record, or one without a version.
func (r *rig) record(k events.Key) events.Record {
	r.t.Helper()
	m, ok, err := r.bus.LastOne(r.t.Context(), events.StreamHub, events.RecordSubject(tenant, k))
	require.NoError(r.t, err)
	var rec events.Record
	if ok {
		require.NoError(r.t, json.Unmarshal(m.Data, &rec))
	}
	return rec
}

func (r *rig) text(k events.Key, field string) string {
	r.t.Helper()
	var s string
	if v := r.record(k).Fields[field].Value; v != nil {
		require.NoError(r.t, json.Unmarshal(v, &s))
	}
	return s
}

// desired returns what erp is to hold for a record.
func (r *rig) desired(object string, k events.Key) (d events.Desired, ok bool) {
	r.t.Helper()
	m, ok, err := r.bus.LastOne(r.t.Context(), events.StreamHub, events.DesiredSubject(tenant, erp, object, k))
	require.NoError(r.t, err)
	if ok {
		require.NoError(r.t, json.Unmarshal(m.Data, &d))
	}
	return d, ok
}

func (r *rig) puller() *bus.Puller {
	r.t.Helper()
	p, err := r.bus.Puller(r.t.Context(), events.StreamEvents, bus.DurableTransform)
	require.NoError(r.t, err)
	return p
}

// idle waits until every event was taken and acked. What the consumer says is
// pending may lag behind a publish, so the stream is asked for its last one.
func (r *rig) idle() {
	r.t.Helper()
	s, err := r.bus.JetStream().Stream(r.t.Context(), events.StreamEvents)
	require.NoError(r.t, err)
	last := s.CachedInfo().State.LastSeq
	c, err := s.Consumer(r.t.Context(), bus.DurableTransform)
	require.NoError(r.t, err)
	require.Eventually(r.t, func() bool {
		i, err := c.Info(r.t.Context())
		return err == nil && i.Delivered.Stream >= last && i.NumAckPending == 0
	}, wait, tick, "something is never acked")
}

func (r *rig) eventually(cond func() bool, msg string, args ...any) {
	r.t.Helper()
	require.Eventually(r.t, cond, wait, tick, append([]any{msg}, args...)...)
}

// scan returns the subjects in HUB that match.
func (r *rig) scan(stream, filter string) []string {
	r.t.Helper()
	var out []string
	for m, err := range r.bus.Scan(r.t.Context(), stream, filter) {
		require.NoError(r.t, err)
		out = append(out, m.Subject)
	}
	return out
}

func (r *rig) quarantined() []events.Quarantined {
	r.t.Helper()
	var out []events.Quarantined
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamQuarantine, "quarantine.>") {
		require.NoError(r.t, err)
		var q events.Quarantined
		require.NoError(r.t, json.Unmarshal(m.Data, &q))
		out = append(out, q)
	}
	return out
}

func TestMergeRouteAndAck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.say("e1", change(crm, "company", events.EntityCompany, "9", 1, named("a")))
	r.idle()
	k := key(events.EntityCompany, "9")
	require.Equal(t, "a", r.text(k, "name"))
	d, ok := r.desired("customer", k)
	require.True(t, ok)
	require.Equal(t, map[string]any{"name": "a"}, d.Fields)
	r.say("e1", change(crm, "company", events.EntityCompany, "9", 1, named("a")))
	r.idle()
	require.EqualValues(t, 1, r.record(k).Version, "a repeat changes nothing")
	require.Empty(t, r.quarantined())
}

// TestUpstreamsAndStrangersGetRecordsOfTheirOwn names the records of objects
// that the hub does not have.
func TestUpstreamsAndStrangersGetRecordsOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.say("e1", change(shop, "company", events.EntityCompany, "A.7", 1, named("a")))
	r.say("e2", change(bank, "payment", events.EntityPayment, "py_1", 1, events.Fields{}))
	r.idle()
	require.Equal(t, "a", r.text(key(events.EntityCompany, "shop-A.7"), "name"))
	require.EqualValues(t, 1, r.record(key(events.EntityPayment, "bank-py_1")).Version)
}
