package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Alert stores an alert of now; the server drops repeats of one kind for a
// connection and record, or whatever it is about, within the stream's duplicate window.
func (b *Bus) Alert(ctx context.Context, a events.Alert) error {
	a.At = time.Now().UTC()
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("bus: alert: %w", err)
	}
	_, err = b.Publish(ctx, Message{
		Subject: events.AlertSubject(a.Severity, a.Kind, a.Connection), Data: data,
		ID: "alert:" + a.Connection + ":" + a.Kind + ":" + a.Record.String() + a.About,
	})
	return err
}
