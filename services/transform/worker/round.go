package worker

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// change is what a round does to one record.
type change struct {
	key    events.Key
	facts  []fact
	notes  []note // of links that may be known by now
	relink bool   // records that it links to may have been merged
	hands  []hand // what is handed over with it
	// extra are facts of Spoke's own, that nobody waits for.
	extra []hub.Fact
	// with is a change that must be committed in the same batch; partner is set
	// for one that is only there for that.
	with    *change
	partner bool
	failed  error
	broken  error // why what stands in HUB can't be read
	before  cached

	after  events.Record
	dirty  bool
	msgs   []bus.Message
	learnt []events.External // vendor objects whose record is known from now on
	waits  []events.External // vendor objects whose record is not known
	links  []events.Key      // records that it links to from now on
	// contested are the documents whose systems insist on values of their own.
	contested []string
	signs     []sign // values that it has from now on, by which it may be matched
	span      trace.Span
}

const (
	roundLimit = 30 * time.Second
	// casTries bounds how often a batch is computed anew after losing a
	// compare-and-set to another replica.
	casTries  = 8
	giveAgain = 2 * time.Second
	// headerRoom is left for a message's headers, in bytes.
	headerRoom = 4096
)

// round finds the records of units and hands the changes to the lanes. What
// was handed over is committed and acked even when run ends meanwhile.
func (w *Worker) round(run context.Context, units []*unit) {
	ctx, cancel := context.WithTimeout(context.Background(), roundLimit)
	defer cancel()
	var facts []fact
	for _, u := range units {
		facts = append(facts, u.facts...)
	}
	if err := w.identify(ctx, facts); err != nil {
		w.postpone(units, err)
		return
	}
	ready, incomplete := w.enrich.split(ctx, units, w.known(facts))
	if len(incomplete) > 0 {
		select {
		case w.enrich.incomplete <- incomplete:
		case <-run.Done():
			for _, u := range incomplete {
				u.again(0)
			}
		}
	}
	w.handOver(byRecord(ready))
}

// handOver gives changes to the lanes.
func (w *Worker) handOver(changes []*change) {
	for i, some := range byLane(changes) {
		if len(some) > 0 {
			w.lanes[i] <- some
		}
	}
}

// drain commits what comes to one lane until the lane is closed.
func (w *Worker) drain(lane <-chan []*change) {
	for changes := range lane {
		ctx, cancel := context.WithTimeout(context.Background(), roundLimit)
		w.commitAll(ctx, changes)
		cancel()
	}
}

// oneBatch is how many changes fit into one atomic batch, with a desired
// document for each.
const oneBatch = bus.MaxBatch / 2

// byLane spreads changes over the lanes by their record. What fits into one
// batch stays together: two batches take the disk twice. A record may so be in
// two lanes at once; compare-and-set keeps that right.
func byLane(changes []*change) (lanes [laneCount][]*change) {
	if len(changes) <= oneBatch {
		lanes[0] = changes
		return lanes
	}
	for _, c := range changes {
		h := fnv.New32a()
		_, _ = h.Write([]byte(c.key.ID)) // a hash takes everything
		i := h.Sum32() % laneCount
		lanes[i] = append(lanes[i], c)
	}
	return lanes
}

func (w *Worker) postpone(units []*unit, err error) {
	w.Log.Warn("transform: round postponed", "units", len(units), "error", err)
	for _, u := range units {
		u.again(giveAgain)
	}
}

// byRecord gathers the facts of each record, in order of arrival.
func byRecord(facts []fact) []*change {
	var order []*change
	byKey := map[events.Key]*change{}
	for _, f := range facts {
		c := byKey[f.key]
		if c == nil {
			c = &change{key: f.key}
			byKey[f.key] = c
			order = append(order, c)
		}
		c.facts = append(c.facts, f)
	}
	return order
}

// compute loads, merges and routes, and packs the results into batches of at
// most bus.MaxBatch messages.
func (w *Worker) compute(ctx context.Context, changes []*change) [][]*change {
	if err := w.load(ctx, changes); err != nil {
		w.Log.Warn("transform: load", "error", err)
		w.release(changes, giveAgain)
		return nil
	}
	ready := changes[:0:0]
	for _, c := range changes {
		if err := w.derive(ctx, c); err == nil || w.setApart(ctx, c, err) {
			ready = append(ready, c)
		}
	}
	return w.pack(w.doubles(ctx, ready))
}

// pack puts changes into batches that fit. Those that belong together are
// beside each other.
func (w *Worker) pack(changes []*change) (batches [][]*change) {
	first := map[*change]bool{}
	for _, c := range changes {
		if c.with != nil {
			first[c.with] = true
		}
	}
	size := 0
	for _, c := range changes {
		if first[c] {
			continue // with the other one
		}
		group := []*change{c}
		if c.with != nil {
			group = []*change{c.with, c}
		}
		n := 0
		for _, g := range group {
			if n += len(g.msgs); g.failed != nil {
				w.Log.Warn("transform: postponed", "record", g.key.String(), "error", g.failed)
				n = -1
				break
			}
		}
		if n < 0 {
			w.release(group, giveAgain)
			continue
		}
		if len(batches) == 0 || size+n > bus.MaxBatch {
			batches = append(batches, nil)
			size = 0
		}
		batches[len(batches)-1] = append(batches[len(batches)-1], group...)
		size += n
	}
	return batches
}

// load fills in the records that the changes start from.
func (w *Worker) load(ctx context.Context, changes []*change) error {
	var subjects []string
	bySubject := map[string]*change{}
	for _, c := range changes {
		s := events.RecordSubject(w.Tenant, c.key)
		// A note may be newer than the record in memory.
		if hit, ok := w.cache.Get(s); ok && len(c.notes) == 0 && len(c.hands) == 0 {
			c.before = hit
			continue
		}
		c.before, c.broken = cached{rec: events.Record{Tenant: w.Tenant, Key: c.key}}, nil
		bySubject[s] = c
		subjects = append(subjects, s)
	}
	if len(subjects) == 0 {
		return nil
	}
	found, err := w.Bus.Last(ctx, events.StreamHub, subjects)
	if err != nil {
		return err
	}
	for s, m := range found {
		var rec events.Record
		if err := json.Unmarshal(m.Data, &rec); err != nil {
			c := bySubject[s]
			c.broken = fault.New(fault.Malformed, "transform", "record %s can't be read: %w", c.key, err).
				WithHint("it is left as it is, and every other record goes on; mend or remove it in HUB")
			continue
		}
		bySubject[s].before = cached{rec: rec, seq: m.Seq}
	}
	return nil
}

// derive computes one record's next version and messages. A panic is an
// error of this record alone.
func (w *Worker) derive(ctx context.Context, c *change) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "transform", "panic: %v", p)
		}
	}()
	c.msgs = nil
	if c.broken != nil {
		return c.broken
	}
	if err := c.stillFits(); err != nil {
		return err
	}
	facts := append(make([]hub.Fact, 0, len(c.facts)+len(c.extra)), c.extra...)
	for _, f := range c.facts {
		if f.route != nil {
			continue
		}
		if facts = append(facts, f.Fact); !written(f.At()) {
			return fault.New(fault.Malformed, "transform", "event %s: its time has no written form", f.ID)
		}
	}
	rec, merged := hub.Merge(c.before.rec, facts, w.Policy)
	relinked := false
	if len(c.notes) > 0 || c.relink {
		rec, relinked = hub.Relink(rec, hub.Resolver{Find: w.find, Survivor: w.survivor})
	}
	again := c.asked()
	c.dirty = merged || relinked
	c.after = rec
	if !c.dirty && len(again) == 0 {
		return nil // what an earlier try learnt stays: it may have been stored
	}
	routed, wanted, failed := hub.Route(rec, w.Flows.For(c.key.Entity), again...)
	routed, more, contested := hub.Reassert(routed, w.Flows.For(c.key.Entity), hub.DriftIn(c.before.rec, rec, facts))
	wanted, c.contested = append(wanted, more...), contested
	if !c.dirty {
		if len(wanted) == 0 && len(failed) == 0 {
			return nil // asked to route again, with nothing new in it
		}
		c.dirty = true
		routed.Version++
	}
	c.learnt, c.waits, c.links = nil, nil, nil
	c.after = routed
	if err := w.forget(ctx, c); err != nil {
		return err
	}
	header := w.open(ctx, c)
	if err := c.add(w, header, wanted); err != nil {
		return err
	}
	for _, f := range failed {
		if err := w.flowFailed(ctx, c, f); err != nil {
			return err
		}
	}
	return nil
}

// asked returns the requests to route the record again, if there is a record.
func (c *change) asked() []events.Route {
	if c.before.seq == 0 {
		return nil
	}
	var all []events.Route
	for _, f := range c.facts {
		if f.route != nil {
			all = append(all, *f.route)
		}
	}
	return all
}

// written reports whether a time can be written in UTC and read again.
func written(t time.Time) bool {
	y := t.UTC().Year()
	return y > 0 && y < 10_000
}

// open starts the record's span and returns the headers of its messages. The
// span continues the first fact's trace and links to the others'.
func (w *Worker) open(ctx context.Context, c *change) nats.Header {
	h := nats.Header{}
	if len(c.facts) == 0 {
		return h
	}
	if c.span == nil {
		links := make([]trace.Link, 0, len(c.facts)-1)
		for _, f := range c.facts[1:] {
			if f.span.IsValid() && f.span.TraceID() != c.facts[0].span.TraceID() {
				links = append(links, trace.Link{SpanContext: f.span})
			}
		}
		parent := trace.ContextWithRemoteSpanContext(ctx, c.facts[0].span)
		_, c.span = w.Tracer.Start(parent, "process events", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...),
			trace.WithAttributes(
				attribute.String("messaging.system", "nats"),
				attribute.String("messaging.operation.type", "process"),
				attribute.String("messaging.operation.name", "process"),
				attribute.String("messaging.destination.name", events.StreamEvents),
				attribute.String("messaging.consumer.group.name", bus.DurableTransform),
				attribute.Int("messaging.batch.message_count", len(c.facts)),
				attribute.String("spoke.record", c.key.String())))
	}
	bus.Inject(trace.ContextWithSpan(ctx, c.span), h)
	return h
}

// add makes the messages of a change: the record first, under
// compare-and-set, then what it wants.
func (c *change) add(w *Worker, h nats.Header, wanted []events.Desired) error {
	data, err := c.after.MarshalJSON()
	if err != nil {
		return fault.New(fault.Internal, "transform", "record %s: %w", c.key, err)
	}
	if limit := w.Bus.Conn().MaxPayload() - headerRoom; int64(len(data)) > limit {
		return fault.New(fault.Rejected, "transform", "record %s has %d bytes, more than the %d that a message holds", c.key, len(data), limit).
			WithHint("shorten its longest fields at their source, or raise max_payload of the NATS server")
	}
	c.msgs = append(c.msgs, bus.Message{
		Subject: events.RecordSubject(w.Tenant, c.key), Data: data, Header: h, Expect: bus.Seq(c.before.seq),
	})
	for _, d := range wanted {
		b, err := json.Marshal(d)
		if err != nil {
			return fault.New(fault.Internal, "transform", "desired %s of %s: %w", d.Object, c.key, err)
		}
		c.msgs = append(c.msgs, bus.Message{
			Subject: events.DesiredSubject(w.Tenant, d.Connection, d.Object, c.key), Data: b, Header: h,
		})
	}
	return c.addIdentity(w)
}

// addIdentity notes vendor ids that the record has learnt, and links that it
// waits for.
func (c *change) addIdentity(w *Worker) error {
	key, err := json.Marshal(c.key)
	if err != nil {
		return err
	}
	for name, doc := range c.after.Docs {
		x := events.External{Connection: doc.Connection, Object: doc.Object, ID: doc.ID}
		if k, self := w.native(x); (self && k == c.key) || doc.ID == "" || c.before.rec.Docs[name].ID == doc.ID {
			continue
		}
		c.learnt = append(c.learnt, x)
		c.msgs = append(c.msgs, bus.Message{Subject: events.AliasSubject(w.Tenant, x), Data: key})
	}
	if err := c.addUnion(w, key); err != nil {
		return err
	}
	c.addSigns(w, key)
	c.waits = waitsOf(c.after)
	for _, x := range c.waits {
		c.msgs = append(c.msgs, bus.Message{Subject: events.WaitingSubject(w.Tenant, x, c.key), Data: key})
	}
	return nil
}
