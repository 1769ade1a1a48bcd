package sink

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
)

// leave waits until the sink may pull: not while the breaker is open, the
// connection is paused, or its budget allows no calls (rule 6).
func (s *Sink) leave(ctx context.Context) (breaker.Pass, error) {
	for {
		pass, err := s.Breaker.Wait(ctx)
		if err != nil {
			return pass, err
		}
		d := s.spent()
		if d == 0 {
			return pass, nil
		}
		pause(ctx, min(d, lookAgain))
	}
}

// lookAgain bounds how long a sink sleeps without looking whether it may pull.
const lookAgain = time.Second

// spent returns for how long the connection's budget allows no calls.
func (s *Sink) spent() time.Duration {
	if s.Budget == nil {
		return 0
	}
	return s.Budget.Paused()
}

// recheck asks the vendor, without a document, whether it is back.
func (s *Sink) recheck(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	// What the error means is the breaker's to say.
	_ = s.Breaker.Execute(ctx, func() (err error) {
		defer recovered(s.Kind.Name, &err)
		return s.Target.Check(ctx)
	})
}

// alert publishes an alert.
func (s *Sink) alert(ctx context.Context, a events.Alert) {
	a.Connection = s.Connection
	if err := s.Bus.Alert(ctx, a); err != nil {
		s.Log.Error("sink: alert not stored", "connection", s.Connection, "kind", a.Kind, "error", err)
	}
}
