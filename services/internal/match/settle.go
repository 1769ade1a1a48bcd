package match

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// Code is the code of the problem of an object that may stand for several
// records. It waits in QUARANTINE for a person.
const Code = "ambiguous_match"

// Settle decides for good which record an object stands for: one of those that
// it may be, or, with the key of OwnRecord, one of its own. The event that waits
// in QUARANTINE is retried afterwards.
func Settle(ctx context.Context, b *bus.Bus, tenant string, x events.External, k events.Key) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if _, err := b.Publish(ctx, bus.Message{Subject: events.AliasSubject(tenant, x), Data: data}); err != nil {
		return fmt.Errorf("match: settle %s %s as %s: %w", x.DocKey(), x.ID, k, err)
	}
	return nil
}

// OwnRecord is the record of an object that stands for no other one: the hub's
// ids name records by themselves.
func OwnRecord(x events.External, e events.Entity, hub bool) events.Key {
	if hub {
		return events.Key{Entity: e, ID: x.ID}
	}
	return events.Key{Entity: e, ID: x.Connection + "-" + x.ID}
}
