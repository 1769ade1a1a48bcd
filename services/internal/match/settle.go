package match

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// Code is the code of the problem of an object that may stand for several
// records. It waits in QUARANTINE for a person.
const Code = "ambiguous_match"

// Decision says for good which record an object stands for.
type Decision struct {
	Object events.External
	// Own is the object's OwnRecord, Record one of those that it may be; or Own
	// again, if it is none of them.
	Own, Record events.Key
	// At is when it was decided. A later decision outranks it.
	At time.Time
}

// Settle writes a decision. The events that wait in QUARANTINE are retried
// afterwards. It is safe to repeat. An error that is bus.ErrStale means that
// another one was written at the same time.
//
// The alias is what the object's next events follow. The record of its own may
// stand already, or be linked to: it becomes a part of the chosen one; or it is
// set apart, so that it is never matched again.
func Settle(ctx context.Context, b *bus.Bus, tenant string, d Decision) error {
	if err := settle(ctx, b, tenant, d); err != nil {
		return fmt.Errorf("match: settle %s %s as %s: %w", d.Object.DocKey(), d.Object.ID, d.Record, err)
	}
	return nil
}

func settle(ctx context.Context, b *bus.Bus, tenant string, d Decision) error {
	data, err := json.Marshal(d.Record)
	if err != nil {
		return err
	}
	alias := events.AliasSubject(tenant, d.Object)
	stands, _, err := b.LastOne(ctx, events.StreamHub, alias)
	if err != nil {
		return err
	}
	if _, err := b.Publish(ctx, bus.Message{Subject: alias, Data: data, Expect: bus.Seq(stands.Seq)}); err != nil {
		return err
	}
	c := d.union()
	e := events.NewChange(hub.Internal, "settle:"+d.Object.DocKey()+"/"+d.Object.ID+":"+d.Record.String(), c)
	m, err := bus.EncodeEvent(ctx, events.EventSubject(tenant, c.Connection, c.Entity, c.Op, c.ID), e)
	if err != nil {
		return err
	}
	_, err = b.Publish(ctx, m)
	return err
}

// union is the decision as it concerns the object's own record.
func (d Decision) union() events.Change {
	c := events.Change{
		Connection: hub.Internal, Entity: d.Own.Entity, Object: string(d.Own.Entity), ID: d.Own.ID,
		Op: events.OpRestored, At: d.At.UTC(),
	}
	if d.Record != d.Own {
		c.Op, c.Into = events.OpMerged, d.Record.ID
	}
	return c
}

// OwnRecord is the record of an object that stands for no other one: the hub's
// ids name records by themselves.
func OwnRecord(x events.External, e events.Entity, hub bool) events.Key {
	if hub {
		return events.Key{Entity: e, ID: x.ID}
	}
	return events.Key{Entity: e, ID: x.Connection + "-" + x.ID}
}

// Room reports whether an object may stand for a record: the record is there,
// and has no other object of that type.
func Room(r events.Record, x events.External) bool {
	doc := r.Docs[x.DocKey()]
	return r.Merged == nil && r.Deleted == nil && (doc.ID == "" || doc.ID == x.ID || doc.Gone != nil || !doc.Adopted.IsZero())
}
