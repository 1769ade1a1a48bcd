package sink

import (
	"context"
	"errors"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/ledger"
)

// withdraw deals with a document that takes back what was wanted: nothing is
// written, and what the vendor has stays as it is. A call whose answer was lost
// is looked up first, so that an object which it made is known to somebody: to
// the survivor of a merged record, which would make a second one. A nil job
// without an error is done.
func (s *Sink) withdraw(ctx context.Context, j *job) (*job, error) {
	e := j.entry
	var o *events.Outcome
	known := e.Outcome != nil || e.Sending != nil || e.ID != ""
	if e.Sending != nil && e.Sending.Unknown && e.ID == "" {
		s.fill(j, nil)
		j.unknown = true
		if err := s.lookUp(ctx, j); err != nil {
			return j, err
		}
		if e.ID = j.doc.ExternalID; e.ID != "" {
			o = s.outcome(j, events.StateDone)
			o.ID, o.Effect = e.ID, events.EffectUnchanged
			e.Outcome = o // told again when this is delivered again
		}
	}
	if j.desired.Reason == reasonErased {
		e.Number, e.URL = "", ""
		if e.Outcome != nil {
			bare := *e.Outcome
			bare.Number, bare.URL, bare.Seen, bare.Sent, bare.Error = "", "", nil, nil, nil
			e.Outcome = &bare
		}
	}
	// Nobody knows any more what the vendor is to hold.
	e.Hash, e.Sending = "", nil
	if !known {
		s.finish(j, nil)
		return nil, nil
	}
	if _, err := s.ledger.Save(ctx, j.desired.Object, j.desired.Record, e); err != nil {
		if errors.Is(err, ledger.ErrTaken) {
			s.giveBack(j, busyWait)
			return nil, nil
		}
		return j, err
	}
	s.finish(j, o)
	return nil, nil
}

// reasonErased is why a document about an erased person is withdrawn.
const reasonErased = "erased"
