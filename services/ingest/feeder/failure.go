package feeder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	// triesToAlert is after how many failures in a row operators are told.
	triesToAlert = 3
	// pauseBase and pauseMax bound how often refused credentials are tried.
	pauseBase = 5 * time.Second
	pauseMax  = 5 * time.Minute
)

// failed notes why a pass does not go on, gives the turn back, and returns when
// it goes on. token is what the page was asked for with.
func (p *pass) failed(ctx context.Context, token string, err error) time.Duration {
	switch {
	case errors.Is(err, checkpoint.ErrWithdrawn):
		return time.Millisecond // another request may have taken its place
	case errors.Is(err, checkpoint.ErrLost):
		return p.Lease / 2
	case ctx.Err() != nil:
		p.giveBack(ctx, p.turn)
		return time.Millisecond
	}
	kind := fault.KindOf(err)
	stale := kind == fault.Malformed && token != ""
	tries := p.tries(stale)
	delay := delayOf(err, tries, jitter())
	p.Meter.failed(p.key, kind.String())
	p.Log.Warn("feeder: failed", "connection", p.conn.Name, "feed", p.feed.Name, "work", string(p.key.Work),
		"kind", kind.String(), "try", tries, "delay", delay, "error", err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	saved := p.turn.End(ctx, func(st *checkpoint.State) {
		st.Failure = &checkpoint.Failure{Problem: *fault.Problem(err), At: now(), Tries: tries, RetryAt: now().Add(delay)}
		switch {
		case stale && st.Pass != nil:
			st.Restart()
		case kind == fault.Malformed:
			st.Mark = "" // if that was it, the pass has its times to go by
		}
	})
	if saved != nil {
		p.Log.Warn("feeder: failure not stored", "connection", p.conn.Name, "feed", p.feed.Name, "error", saved)
	}
	p.tell(ctx, err, tries)
	return delay
}

// tries counts the failures in a row, this one included; for a token that is
// refused, how often that happened in this pass.
func (p *pass) tries(stale bool) int {
	st, tries := p.turn.State(), 1
	if st.Failure != nil {
		tries += st.Failure.Tries
	}
	if stale && st.Pass != nil {
		tries = max(tries, st.Pass.Restarts+1)
	}
	return tries
}

// delayOf is how long to wait after so many failures in a row.
func delayOf(err error, tries int, jitter float64) time.Duration {
	delay := fault.Judge(err, tries, jitter).Delay
	switch fault.KindOf(err) {
	case fault.Throttled:
		delay += fault.Backoff(tries, jitter) // full jitter on top of what the vendor asked for
	case fault.Unauthorized:
		delay = max(delay, min(pauseBase<<min(tries-1, 10), pauseMax))
	case fault.Transient, fault.Unavailable:
	default: // more quick tries won't mend it
		delay = max(delay, fault.Backoff(tries+fault.QuickTries, jitter))
	}
	return max(delay, 10*time.Millisecond)
}

// tell lets operators know of a failure that needs them or goes on for long.
func (p *pass) tell(ctx context.Context, err error, tries int) {
	f := fault.As(err)
	switch f.Kind {
	case fault.Throttled, fault.Unauthorized, fault.Unavailable: // the breaker tells what there is to tell
	default:
		if tries == triesToAlert {
			p.alertOf(ctx, p.key, err)
		}
	}
}

// alertOf tells operators of an error of a feed.
func (f *Feeder) alertOf(ctx context.Context, k checkpoint.Key, err error) {
	e := fault.As(err)
	f.alert(ctx, events.Alert{
		Severity: "warning", Kind: e.Kind.String(), Connection: k.Connection, About: string(k.Work) + " " + k.Feed,
		Message: fmt.Sprintf("%s of %s at %s: %s", k.Work, k.Feed, k.Connection, err.Error()), Hint: e.Hint,
	})
}

func (f *Feeder) alert(ctx context.Context, a events.Alert) {
	if err := f.Bus.Alert(ctx, a); err != nil {
		f.Log.Error("feeder: alert not stored", "connection", a.Connection, "kind", a.Kind, "error", err)
	}
}
