package worker

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// linkDepth bounds how far links are followed: a deal, its contact, the
// contact's company.
const linkDepth = 3

// wantedLinks are hub objects that are linked to, by record.
type wantedLinks map[events.Key]events.External

// split separates the units that can be committed from those that link to an
// object of the hub for which there is no record: that object is read first,
// so that a deal never arrives without its company.
func (e *enricher) split(ctx context.Context, units []*unit, facts []fact) (ready []fact, incomplete []*unit) {
	need := wantedLinks{}
	byUnit := map[*unit]wantedLinks{}
	for _, f := range facts {
		if f.Change == nil || f.unit.complete {
			continue
		}
		links := wantedLinks{}
		e.collect(*f.Change, links)
		if len(links) == 0 {
			continue
		}
		maps.Copy(need, links)
		if byUnit[f.unit] == nil {
			byUnit[f.unit] = wantedLinks{}
		}
		maps.Copy(byUnit[f.unit], links) // a unit may hold several deals
	}
	if len(need) == 0 {
		return facts, nil
	}
	for _, f := range facts { // what comes along need not be read
		delete(need, f.key)
	}
	if err := e.dropKnown(ctx, need); err != nil {
		// Without the answer everything goes on: sinks hold what lacks a
		// dependency.
		e.w.Log.Warn("transform: look up links", "error", err)
		return facts, nil
	}
	lacks := map[*unit]bool{}
	for _, u := range units {
		for k := range byUnit[u] {
			if x, ok := need[k]; ok {
				u.needs = append(u.needs, x)
				lacks[u] = true
			}
		}
		if lacks[u] {
			incomplete = append(incomplete, u)
		}
	}
	for _, f := range facts {
		if !lacks[f.unit] {
			ready = append(ready, f)
		}
	}
	return ready, incomplete
}

// collect notes the readable hub objects that a change links to.
func (e *enricher) collect(c events.Change, into wantedLinks) {
	hub.EachLink(c.Entity, c.Fields, func(l events.Link) {
		if x, ok := e.readable(l); ok {
			into[l.Record] = x
		}
	})
}

// readable returns how a linked record is read, if it is the hub's.
func (e *enricher) readable(l events.Link) (events.External, bool) {
	if !l.Resolved() {
		return events.External{}, false
	}
	for name, k := range e.w.Kinds {
		if !k.Hub || e.w.Readers[name] == nil || (l.Connection != "" && l.Connection != name) {
			continue
		}
		i := slices.IndexFunc(k.Objects, func(o connector.Object) bool { return o.Entity == l.Record.Entity })
		switch {
		case i < 0:
		case l.ID != "" && l.Object != "": // the record may have begun elsewhere
			return events.External{Connection: name, Object: l.Object, ID: l.ID}, true
		default:
			return events.External{Connection: name, Object: k.Objects[i].Name, ID: l.Record.ID}, true
		}
	}
	return events.External{}, false
}

// dropKnown removes the keys for which a record stands.
func (e *enricher) dropKnown(ctx context.Context, need wantedLinks) error {
	bySubject := map[string]events.Key{}
	for k := range need {
		s := events.RecordSubject(e.w.Tenant, k)
		if e.w.cache.Contains(s) {
			delete(need, k)
			continue
		}
		bySubject[s] = k
	}
	if len(bySubject) == 0 {
		return nil
	}
	found, err := e.w.Bus.Last(ctx, events.StreamHub, slices.Collect(maps.Keys(bySubject)))
	if err != nil {
		return err
	}
	for s := range found {
		delete(need, bySubject[s])
	}
	return nil
}

// complete reads what the units lack, once for all of them, and hands them
// back as one unit: an ack for any of them needs all that was read.
func (e *enricher) complete(ctx context.Context, units []*unit) {
	all := &unit{complete: true}
	need := wantedLinks{}
	have := map[events.Key]bool{}
	for _, u := range units {
		all.facts = append(all.facts, u.facts...)
		all.msgs = append(all.msgs, u.msgs...)
		for _, x := range u.needs {
			if k, ok := e.w.find(x); ok {
				need[k] = x
			}
		}
	}
	span := all.facts[0].span
	for range linkDepth {
		if len(need) == 0 {
			break
		}
		changes, err := e.readLinked(ctx, need, span)
		if err != nil {
			e.w.Log.Warn("transform: read linked objects", "kind", fault.KindOf(err).String(), "error", err)
			all.again(max(fault.Judge(err, 1, 1).Delay, 500*time.Millisecond))
			return
		}
		for k := range need {
			have[k] = true
		}
		need = wantedLinks{}
		for _, c := range changes {
			all.facts = append(all.facts, fact{span: span, Fact: hub.Fact{ID: all.facts[0].ID, Change: &c}})
			e.collect(hub.Resolve(c, hub.Resolver{Find: e.w.find, Survivor: e.w.survivor}), need)
		}
		maps.DeleteFunc(need, func(k events.Key, _ events.External) bool { return have[k] })
		if err := e.dropKnown(ctx, need); err != nil {
			need = nil
		}
	}
	for i := range all.facts {
		all.facts[i].unit = all
	}
	all.left.Store(int64(len(all.facts)))
	e.hand(ctx, all)
}

// readLinked reads the objects, type by type, in calls of the reader's size.
func (e *enricher) readLinked(ctx context.Context, need wantedLinks, parent trace.SpanContext) ([]events.Change, error) {
	ids := map[[2]string][]string{}
	for _, x := range need {
		k := [2]string{x.Connection, x.Object}
		ids[k] = append(ids[k], x.ID)
	}
	ctx, span := e.w.Tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), "read linked objects")
	defer span.End()
	var out []events.Change
	for k, list := range ids {
		slices.Sort(list)
		for batch := range slices.Chunk(list, e.w.Readers[k[0]].BatchSize()) {
			changes, err := e.readSome(ctx, &group{connection: k[0], object: k[1]}, batch)
			if err != nil {
				return nil, err
			}
			out = append(out, changes...)
		}
	}
	return out, nil
}

// readSome reads linked objects. One that the vendor refuses to tell of is left
// out: what links to it goes on without it, and sinks hold what lacks it.
func (e *enricher) readSome(ctx context.Context, g *group, ids []string) ([]events.Change, error) {
	changes, err := e.call(ctx, g, ids)
	if err == nil {
		e.w.Meter.read(g.connection, len(ids))
		return changes, nil
	}
	// A bug is not tried again here: the last verdict on it is what counts.
	if fault.Judge(err, fault.InternalTries, 0).Action != fault.Quarantine {
		return nil, err
	}
	if len(ids) == 1 {
		e.w.Log.Warn("transform: a linked object can't be read", "connection", g.connection, "object", g.object,
			"id", ids[0], "kind", fault.KindOf(err).String(), "error", err)
		return nil, nil
	}
	var out []events.Change
	for _, id := range ids {
		one, err := e.readSome(ctx, g, []string{id})
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}
