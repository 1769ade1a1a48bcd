package events_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

// TestDigestTellsChangesApart: an id that two changes share would make one of
// them vanish; one that depends on more than the change would make it count
// twice.
func TestDigestTellsChangesApart(t *testing.T) {
	t.Parallel()
	one := func() events.Change {
		f := events.Fields{}
		f.Set("name", "Desk")
		f.SetCustom("a", 1)
		f.SetCustom("b", 2)
		return events.Change{
			Connection: "erp", Entity: events.EntityProduct, Object: "item", ID: "7", Op: events.OpChanged,
			At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Snapshot: true, Fields: f,
		}
	}
	seen := map[string]string{}
	for name, change := range map[string]func(*events.Change){
		"as it is":   func(*events.Change) {},
		"id":         func(c *events.Change) { c.ID = "8" },
		"connection": func(c *events.Change) { c.Connection = "erp2" },
		"op":         func(c *events.Change) { c.Op = events.OpDeleted },
		"at":         func(c *events.Change) { c.At = c.At.Add(time.Nanosecond) },
		"field":      func(c *events.Change) { c.Fields.Set("name", "Chair") },
		"no field":   func(c *events.Change) { delete(c.Fields, "custom.a") },
		"into":       func(c *events.Change) { c.Into = "9" },
		"signal":     func(c *events.Change) { c.Signal = true },
	} {
		a, b := one(), one()
		change(&a)
		change(&b)
		b.Read = b.At.Add(time.Hour)
		require.Equal(t, a.Digest(), b.Digest(), "%s, whenever it was read", name)
		require.Len(t, a.Digest(), 32)
		require.Equal(t, events.Token(a.Digest()), a.Digest())
		require.NotContains(t, seen, a.Digest(), "%s and %s are told apart", name, seen[a.Digest()])
		seen[a.Digest()] = name
	}
}
