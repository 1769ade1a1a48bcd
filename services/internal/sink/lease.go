package sink

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/ledger"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

const (
	// lease is how long a worker has a document without saying so again. It
	// matches the ack time: when the message of a worker that died comes to
	// another, its lease is over too.
	lease = 8 * time.Second
	// leaseBeat is how often it is said.
	leaseBeat = 2 * time.Second
	// leaseMargin is how long before its end a lease counts as over for the one
	// who has it: calls take time to arrive, and clocks differ.
	leaseMargin = 2 * time.Second
)

// tenure is a worker's right to a document.
type tenure struct {
	mu    sync.Mutex
	until time.Time // by the wall clock, as the ledger says
	lost  bool      // another worker has the document
	over  bool      // it is concluded
}

var (
	errLost   = errors.New("another worker has the document")
	errLapsed = errors.New("the lease of the document could not be renewed")
)

// valid returns why no call may be made for a document any more, or nil.
func (t *tenure) valid() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.lost:
		return errLost
	case time.Now().Round(0).After(t.until.Add(-leaseMargin)):
		return errLapsed
	}
	return nil
}

// end ends a tenure, and reports whether it was lost before.
func (t *tenure) end() (lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return t.lost
}

// keepLeases renews the leases of a batch until stop. When one is lost, or
// can't be renewed, the calls under way are given up, and none begins.
func (s *Sink) keepLeases(ctx context.Context, jobs []*job) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ctx = rest.WithFence(ctx, func() error {
		for _, j := range jobs {
			if err := j.tenure.valid(); err != nil {
				return err
			}
		}
		return nil
	})
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(leaseBeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for _, j := range jobs {
				if err := s.renew(j); err != nil {
					s.Log.Warn("sink: lease", "connection", s.Connection, "record", j.desired.Record.String(), "error", err)
					cancel()
				}
			}
		}
	}()
	return ctx, func() {
		close(done)
		<-ended
		cancel()
	}
}

// renew says in the ledger that a document is still worked on. It returns an
// error when that is no longer so.
func (s *Sink) renew(j *job) error {
	t := &j.tenure
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return nil
	}
	if t.lost {
		return errLost
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaseBeat)
	defer cancel()
	err := s.extend(ctx, j)
	if errors.Is(err, ledger.ErrTaken) && s.mine(ctx, j) { // an answer of the ledger was lost
		err = s.extend(ctx, j)
	}
	switch {
	case errors.Is(err, ledger.ErrTaken):
		t.lost = true
		return errLost
	case err != nil && time.Now().Round(0).After(t.until.Add(-leaseMargin)):
		return errLapsed
	}
	return nil
}

// extend stores a later end of the lease.
func (s *Sink) extend(ctx context.Context, j *job) error {
	e, snd := j.entry, *j.entry.Sending
	unknown := snd.Unknown
	snd.Unknown, snd.Lease = true, time.Now().UTC().Add(lease)
	e.Sending = &snd
	saved, err := s.ledger.Save(ctx, j.desired.Object, j.desired.Record, e)
	if err != nil {
		return err
	}
	saved.Sending.Unknown = unknown
	j.entry, j.tenure.until = saved, snd.Lease.Round(0)
	return nil
}

// mine reads the entry again, and takes it up if it is still this worker's.
func (s *Sink) mine(ctx context.Context, j *job) bool {
	e, err := s.ledger.Load(ctx, j.desired.Object, j.desired.Record)
	had := j.entry.Sending
	if err != nil || e.Sending == nil || e.Sending.Owner != s.Owner || e.Sending.Key != had.Key || e.Sending.Attempts != had.Attempts {
		return false
	}
	e.Sending.Unknown = had.Unknown
	j.entry = e
	return true
}

// abandon leaves a document to the worker that has it now, or will get it: no
// ack, and nothing told.
func (s *Sink) abandon(j *job) {
	s.Log.Warn("sink: document left to another worker", "connection", s.Connection, "record", j.desired.Record.String(),
		"object", j.desired.Object)
	j.msg.Leave()
	j.span.End()
}
