package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// The kinds of alerts that are no fault kinds.
const (
	alertClock     = "clock"
	alertContested = "contested"
)

// maxAhead is how far a source time may be ahead of the time at which the
// event was stored: clocks differ.
const maxAhead = time.Minute

// clamp sets a time of the future back to when the event was received. A value
// from the future would win against every later word until then. The time of
// receipt is stored with the event, so that each replica, and each delivery,
// comes to the same result.
func (w *Worker) clamp(ctx context.Context, c *events.Change, received time.Time) {
	limit := received.Add(maxAhead).UTC()
	if !c.At.After(limit) {
		return
	}
	ahead := c.At.Sub(received)
	c.At = limit
	w.Meter.clockAhead(c.Connection)
	if _, told := w.ahead.LoadOrStore(c.Connection, true); told {
		return
	}
	w.alert(ctx, events.Alert{
		Kind: alertClock, Connection: c.Connection,
		Message: fmt.Sprintf("the clock of %s is %s ahead", c.Connection, ahead.Round(time.Second)),
		Hint:    "its times are set back to when they were received; set its clock, or that of the machine Spoke runs on",
	})
}

// tellContested tells operators of documents whose systems keep changing back
// what they were told.
func (w *Worker) tellContested(ctx context.Context, c *change) {
	for _, key := range c.contested {
		connection, object, _ := strings.Cut(key, "/")
		w.Meter.contested(connection)
		w.alert(ctx, events.Alert{
			Kind: alertContested, Connection: connection, Record: c.key,
			Message: fmt.Sprintf("%s keeps changing its %s of %s back; it is written back less and less often", connection, object, c.key),
			Hint:    "find what changes it there, give that system the field in the policy, or leave the field out of the flow",
		})
	}
}

// alert tells operators of something; the server drops repeats within its
// window.
func (w *Worker) alert(ctx context.Context, a events.Alert) {
	a.Severity, a.At = "warning", time.Now().UTC()
	b, err := json.Marshal(a)
	if err == nil {
		_, err = w.Bus.Publish(ctx, bus.Message{
			Subject: events.AlertSubject(a.Severity, a.Kind, a.Connection), Data: b,
			ID: "alert:" + a.Connection + ":" + a.Kind + ":" + a.Record.String(),
		})
	}
	if err != nil {
		w.Log.Error("transform: alert not stored", "kind", a.Kind, "connection", a.Connection, "error", err)
	}
}
