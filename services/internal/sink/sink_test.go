package sink_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vendor is a system that keeps objects by their external key, and fails as
// it is told.
type vendor struct {
	mu      sync.Mutex
	objects map[string]string // external key → last name
	created map[string]int
	calls   int
	finds   int
	found   connector.Document // that was looked for last
	script  []func(connector.Document) (apply bool, err error)
	seen    chan connector.Document
}

func newVendor(script ...func(connector.Document) (bool, error)) *vendor {
	return &vendor{objects: map[string]string{}, created: map[string]int{}, script: script, seen: make(chan connector.Document, 100)}
}

func (v *vendor) BatchSize() int              { return 1 }
func (v *vendor) Check(context.Context) error { return nil }

func (v *vendor) Apply(_ context.Context, docs []connector.Document) []connector.Result {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := docs[0]
	v.calls++
	apply, err := true, error(nil)
	if len(v.script) > 0 {
		step := v.script[0]
		v.script = v.script[1:]
		apply, err = step(d)
	}
	r := connector.Result{Err: err}
	if apply {
		r = v.put(d)
		r.Err = err
	}
	v.seen <- d
	return []connector.Result{r}
}

func (v *vendor) put(d connector.Document) connector.Result {
	effect := events.EffectUpdated
	id := d.ExternalID
	if id == "" {
		// Like a vendor without unique external ids: a create makes one more.
		v.created[d.Key]++
		id = fmt.Sprintf("v-%s-%d", d.Key, v.created[d.Key])
		effect = events.EffectCreated
	}
	name, _ := d.Fields["name"].(string)
	v.objects[d.Key] = name
	return connector.Result{
		ID: id, Number: "N" + id, Effect: effect,
		Seen: events.Fields{"name": json.RawMessage(strconv.Quote(name))}, Sent: events.Fields{"city": json.RawMessage(`"Berlin"`)},
	}
}

func (v *vendor) Find(_ context.Context, d connector.Document) (connector.Result, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.finds++
	v.found = d
	if v.created[d.Key] == 0 {
		return connector.Result{}, false, nil
	}
	return connector.Result{ID: fmt.Sprintf("v-%s-1", d.Key)}, true, nil
}

// rig is a sink on an embedded server.
type rig struct {
	t   *testing.T
	srv *embed.Server
	bus *bus.Bus
	run func(v connector.Target) (stop func())
	// budget of the sinks that run starts; may be nil.
	budget interface{ Paused() time.Duration }
	// heldLimit is sink.Config.HeldLimit; set it before run.
	heldLimit time.Duration
	// onDemand is sink.Config.OnDemand; set it before run.
	onDemand func(object string) bool
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

const tenant, conn = "t", "erp"

func newRig(t *testing.T) *rig {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: tenant, Connections: []string{conn}, Replicas: 1})))
	r := &rig{t: t, srv: srv, bus: b}
	r.run = func(v connector.Target) func() {
		kv, err := b.JetStream().KeyValue(t.Context(), bus.BucketConnections)
		require.NoError(t, err)
		br, err := breaker.Open(t.Context(), breaker.Options{
			KV: kv, Connection: conn, Lanes: sink.DefaultLanes, Log: slog.New(slog.DiscardHandler), Jitter: func() float64 { return 0 },
		})
		require.NoError(t, err)
		t.Cleanup(br.Close)
		s, err := sink.New(t.Context(), sink.Config{
			Tenant: tenant, Connection: conn, OnDemand: r.onDemand, HeldLimit: r.heldLimit,
			Kind: connector.Kind{Name: "erp", Title: "ERP", Objects: []connector.Object{{Name: "customer", Entity: events.EntityCompany}}},
		}, sink.Deps{
			Bus: b, Target: v, Log: slog.New(slog.DiscardHandler), Tracer: noop.NewTracerProvider().Tracer(""),
			Jitter: func() float64 { return 0 }, Breaker: br, Budget: r.budget,
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = s.Run(ctx) }()
		stop := sync.OnceFunc(func() { cancel(); <-done })
		t.Cleanup(stop)
		return stop
	}
	return r
}

func company(id string) events.Key { return events.Key{Entity: events.EntityCompany, ID: id} }

// want publishes a desired document as transform would.
func (r *rig) want(object string, k events.Key, fields map[string]any) events.Desired {
	r.t.Helper()
	d := events.Desired{
		Tenant: tenant, Connection: conn, Object: object, Entity: events.EntityCompany, Record: k,
		Flow: "f", Op: events.DesiredUpsert, Fields: fields,
	}
	require.NoError(r.t, d.Seal())
	r.put(d)
	return d
}

func (r *rig) put(d events.Desired) {
	r.t.Helper()
	b, err := json.Marshal(d)
	require.NoError(r.t, err)
	_, err = r.bus.Publish(r.t.Context(), bus.Message{Subject: events.DesiredSubject(tenant, conn, d.Object, d.Record), Data: b})
	require.NoError(r.t, err)
}

// outcome waits for the outcome of a document in a state.
func (r *rig) outcome(k events.Key, state events.State) events.Outcome {
	r.t.Helper()
	var found events.Outcome
	subject := events.EventSubject(tenant, conn, events.EntityCompany, events.OpWritten, k.String())
	require.Eventually(r.t, func() bool {
		m, ok, err := r.bus.LastOne(r.t.Context(), events.StreamEvents, subject)
		if err != nil || !ok {
			return false
		}
		e, err := bus.DecodeEvent(m)
		if err != nil {
			return false
		}
		found, err = e.Outcome()
		return err == nil && found.State == state
	}, 20*time.Second, 5*time.Millisecond, "no outcome %s for %s", state, k)
	return found
}

// idle waits until every document was taken and acked. What the consumer says
// is pending may lag behind a publish, so the stream is asked for its last one.
func (r *rig) idle() {
	r.t.Helper()
	s, err := r.bus.JetStream().Stream(r.t.Context(), events.StreamHub)
	require.NoError(r.t, err)
	c, err := s.Consumer(r.t.Context(), bus.SinkDurable(conn))
	require.NoError(r.t, err)
	require.Eventually(r.t, func() bool {
		// A release publishes a document anew: the last one may change.
		m, err := s.GetLastMsgForSubject(r.t.Context(), events.DesiredFilter(tenant, conn))
		if err != nil {
			return errors.Is(err, jetstream.ErrMsgNotFound)
		}
		i, err := c.Info(r.t.Context())
		return err == nil && i.Delivered.Stream >= m.Sequence && i.NumAckPending == 0
	}, wait, tick)
}

func fails(apply bool, kind fault.Kind) func(connector.Document) (bool, error) {
	return func(connector.Document) (bool, error) {
		return apply, fault.New(kind, "erp: write", "told to fail")
	}
}

func TestCreateThenUpdate(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	o := r.outcome(company("1"), events.StateDone)
	require.Equal(t, events.EffectCreated, o.Effect)
	require.Equal(t, "v-spoke-company-1-1", o.ID)
	<-v.seen
	r.want("customer", company("1"), map[string]any{"name": "b"})
	d := <-v.seen
	require.Equal(t, o.ID, d.ExternalID, "the second write knows the object")
	r.idle()
	require.Equal(t, map[string]int{"spoke-company-1": 1}, v.created)
	require.Equal(t, "b", v.objects["spoke-company-1"])
}

// TestTheSameAgain wants what was just written: nothing is written, and what the
// first answer showed is not told as if it were seen now. Someone may have
// changed it since.
func TestTheSameAgain(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	start := time.Now()
	r.run(v)
	d := r.want("customer", company("1"), map[string]any{"name": "a"})
	o := r.outcome(company("1"), events.StateDone)
	require.Equal(t, "a", o.Seen.Text("name"))
	require.Equal(t, "Berlin", o.Sent.Text("city"))
	require.WithinRange(t, o.Read, start, o.At, "the time of the call, not of its end")
	r.put(d)
	r.idle()
	o = r.outcome(company("1"), events.StateDone)
	require.Equal(t, events.EffectUnchanged, o.Effect)
	require.Empty(t, o.Seen)
	require.Empty(t, o.Sent)
	require.Zero(t, o.Read)
	require.Equal(t, 1, v.calls)
}

// TestErrors runs one create through each kind of first error and expects
// exactly one object in the end, or none where the vendor refuses.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		first   func(connector.Document) (bool, error)
		state   events.State
		created int
	}{
		{"lost answer of an applied create", fails(true, fault.Ambiguous), events.StateDone, 1},
		{"lost request", fails(false, fault.Ambiguous), events.StateDone, 1},
		{"transient", fails(false, fault.Transient), events.StateDone, 1},
		{"throttled", fails(false, fault.Throttled), events.StateDone, 1},
		{"unavailable", fails(false, fault.Unavailable), events.StateDone, 1},
		{"conflict", fails(false, fault.Conflict), events.StateDone, 1},
		{"internal", fails(false, fault.Internal), events.StateDone, 1},
		{"rejected", fails(false, fault.Rejected), events.StateQuarantined, 0},
		{"malformed", fails(false, fault.Malformed), events.StateQuarantined, 0},
		{"panic", func(connector.Document) (bool, error) { panic("a bug") }, events.StateDone, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, v := newRig(t), newVendor(tc.first)
			r.run(v)
			r.want("customer", company("1"), map[string]any{"name": "a"})
			r.outcome(company("1"), tc.state)
			r.idle()
			require.Equal(t, tc.created, v.created["spoke-company-1"])
		})
	}
}

func TestQuarantineHoldsTheReason(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := newVendor(func(connector.Document) (bool, error) {
		return false, fault.New(fault.Rejected, "erp: create customer", "closed period").
			WithField("date").WithHint("open the period").WithCode("CLOSED")
	})
	r.run(v)
	d := r.want("customer", company("1"), map[string]any{"name": "a"})
	o := r.outcome(company("1"), events.StateQuarantined)
	require.Equal(t, &events.Problem{
		Kind: "rejected", Message: "erp: create customer: closed period (field date)", Field: "date", Hint: "open the period", Code: "CLOSED",
	}, o.Error)
	m, ok, err := r.bus.LastOne(t.Context(), events.StreamQuarantine,
		events.QuarantineSubject("erp-sink", conn, "rejected", events.EntityCompany, "customer/company/1"))
	require.NoError(t, err)
	require.True(t, ok)
	var q events.Quarantined
	require.NoError(t, json.Unmarshal(m.Data, &q))
	var kept events.Desired
	require.NoError(t, json.Unmarshal(q.Original, &kept))
	require.Equal(t, d.Hash, kept.Hash)
	// A newer document is tried as usual.
	r.want("customer", company("1"), map[string]any{"name": "b"})
	r.outcome(company("1"), events.StateDone)
}

func TestHoldUntilTheDependencyIsThere(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	r.run(v)
	need := events.Ref{Object: "customer", Record: company("9")}
	r.want("order", company("77"), map[string]any{"customer": need})
	o := r.outcome(company("77"), events.StateHeld)
	require.Equal(t, "missing", o.Error.Kind)
	require.Zero(t, v.calls)
	r.want("customer", company("9"), map[string]any{"name": "x"})
	r.outcome(company("77"), events.StateDone)
	r.idle()
	var held int
	for _, err := range r.bus.Scan(t.Context(), events.StreamHub, "held.>") {
		require.NoError(t, err)
		held++
	}
	require.Zero(t, held)
	for range 2 {
		if d := <-v.seen; d.Object == "order" {
			require.Equal(t, "v-spoke-company-9-1", d.Fields["customer"])
		}
	}
}

// TestCrashAfterTheCall stops the sink between the vendor's effect and the
// ledger: the worst moment. The next process must find the object.
func TestCrashAfterTheCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := newVendor()
	// A worker that died: the ledger says "sending", its lease is over, and
	// the vendor has the object.
	d := r.want("customer", company("1"), map[string]any{"name": "a"})
	v.created["spoke-company-1"] = 1
	kv, err := r.bus.JetStream().KeyValue(t.Context(), bus.LedgerBucket(conn))
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), "customer.company.1", fmt.Appendf(nil,
		`{"sending":{"hash":%q,"sequence":1,"key":"k","first":"2026-01-01T00:00:00Z","attempts":0,"unknown":true,"owner":"dead","lease":"2026-01-01T00:00:00Z"}}`, d.Hash))
	require.NoError(t, err)
	r.run(v)
	o := r.outcome(company("1"), events.StateDone)
	require.Equal(t, events.EffectUpdated, o.Effect)
	require.Equal(t, 1, v.finds)
	require.Equal(t, 1, v.created["spoke-company-1"], "nothing was created twice")
}

func TestCorruptLedgerEntryStopsOneObjectOnly(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	kv, err := r.bus.JetStream().KeyValue(t.Context(), bus.LedgerBucket(conn))
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), "customer.company.1", []byte("{broken"))
	require.NoError(t, err)
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.want("customer", company("2"), map[string]any{"name": "b"})
	o := r.outcome(company("1"), events.StateQuarantined)
	require.Equal(t, "ledger_corrupt", o.Error.Code)
	r.outcome(company("2"), events.StateDone)
	require.Zero(t, v.created["spoke-company-1"])
	e, err := kv.Get(t.Context(), "customer.company.1")
	require.NoError(t, err)
	require.Equal(t, "{broken", string(e.Value()), "what can't be read is not overwritten")
}

func TestABacklogIsOneWritePerObject(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	for i := range 50 {
		for id := range 4 {
			r.want("customer", company(fmt.Sprint(id)), map[string]any{"name": fmt.Sprint(i)})
		}
	}
	r.run(v)
	r.idle()
	require.Equal(t, 4, v.calls, "a hundred changes while the sink was away are one document")
	require.Equal(t, "49", v.objects["spoke-company-3"])
}

func TestUnauthorizedPausesAndGoesOn(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor(fails(false, fault.Unauthorized))
	kv, err := r.bus.JetStream().KeyValue(t.Context(), bus.BucketConnections)
	require.NoError(t, err)
	w, err := kv.Watch(t.Context(), conn)
	require.NoError(t, err)
	defer func() { _ = w.Stop() }()
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	for e := range w.Updates() {
		var c events.Condition
		if e != nil && e.Operation() == jetstream.KeyValuePut && json.Unmarshal(e.Value(), &c) == nil && c.State == "unauthorized" {
			break
		}
	}
	// Check says that the credentials are fine again.
	r.outcome(company("1"), events.StateDone)
	require.Equal(t, 1, v.created["spoke-company-1"])
	n, err := r.bus.JetStream().Stream(t.Context(), events.StreamQuarantine)
	require.NoError(t, err)
	require.Zero(t, n.CachedInfo().State.Msgs, "nothing is quarantined for want of credentials")
}

func TestTwoReplicasMakeNothingTwice(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	r.run(v)
	r.run(v)
	for i := range 40 {
		r.want("customer", company(fmt.Sprint(i)), map[string]any{"name": "x"})
	}
	for i := range 40 {
		r.outcome(company(fmt.Sprint(i)), events.StateDone)
	}
	r.idle()
	for k, n := range v.created {
		require.Equal(t, 1, n, k)
	}
	require.Len(t, v.created, 40)
}

// How long a condition may take on a busy machine, and how often it is asked.
const (
	wait = 20 * time.Second
	tick = 5 * time.Millisecond
)

// requireQuarantine checks how many documents stand set apart.
func (r *rig) requireQuarantine(n int) {
	r.t.Helper()
	s, err := r.bus.JetStream().Stream(r.t.Context(), events.StreamQuarantine)
	require.NoError(r.t, err)
	require.EqualValues(r.t, n, s.CachedInfo().State.Msgs)
}
