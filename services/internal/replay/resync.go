package replay

import (
	"context"
	"fmt"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// Reasons that a document is published for although nothing in it changed.
const (
	ReasonResync = "resync"
	ReasonDrift  = "drift"
)

// Resync asks transform to route every selected record again and to assert its
// documents at a connection, also those that the connection is known to hold:
// a new connection is filled so, and one that was restored from a backup. It
// returns how many records there were. The sink writes at the pace of the
// connection's budget.
func (r *Replayer) Resync(ctx context.Context, connection string, s Selection, o Options) (int, error) {
	if !o.Dry {
		a := events.Action{Verb: "resync", Connection: connection, Record: s.Record, Target: s.String()}
		if err := r.audit.Note(ctx, a); err != nil {
			return 0, err
		}
	}
	n := 0
	var batch []bus.Message
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if !o.Dry {
			if _, err := r.bus.Batch(ctx, batch); err != nil {
				return err
			}
		}
		n, batch = n+len(batch), batch[:0]
		if o.Progress != nil {
			o.Progress(n)
		}
		return nil
	}
	for m, err := range r.bus.Scan(ctx, events.StreamHub, r.records(s)) {
		if err == nil {
			batch, err = r.ask(ctx, batch, m.Subject, events.Route{Connection: connection, Reason: ReasonResync})
		}
		if err == nil && len(batch) == page {
			err = flush()
		}
		if err != nil {
			return n, fmt.Errorf("resync: after %d records: %w", n, err)
		}
	}
	return n, flush()
}

// Assert asks for one record's documents at a connection, because the vendor
// was seen to hold something else.
func (r *Replayer) Assert(ctx context.Context, connection string, k events.Key) error {
	if err := r.audit.Note(ctx, events.Action{Verb: "diff.fix", Connection: connection, Record: k}); err != nil {
		return err
	}
	m, err := bus.EncodeRoute(ctx, r.tenant, events.Route{Record: k, Connection: connection, Reason: ReasonDrift})
	if err != nil {
		return err
	}
	_, err = r.bus.Publish(ctx, m)
	return err
}

// ask adds the request for the record of a subject to a batch.
func (r *Replayer) ask(ctx context.Context, batch []bus.Message, subject string, route events.Route) ([]bus.Message, error) {
	k, err := events.RecordKeyOf(subject)
	if err != nil {
		return batch, err
	}
	route.Record = k
	m, err := bus.EncodeRoute(ctx, r.tenant, route)
	if err != nil {
		return batch, err
	}
	return append(batch, m), nil
}

// records matches the subjects of the selected records.
func (r *Replayer) records(s Selection) string {
	switch {
	case !s.Record.IsZero():
		return events.RecordSubject(r.tenant, s.Record)
	case s.Entity != "":
		return "record." + events.Token(r.tenant) + "." + events.Token(string(s.Entity)) + ".>"
	}
	return "record." + events.Token(r.tenant) + ".>"
}
