package feeder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
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
	switch {
	case f.Kind == fault.Unauthorized:
		if tries == 1 {
			p.unauthorized(ctx, err)
		}
	case f.Kind == fault.Throttled:
	case tries == triesToAlert:
		p.alertOf(ctx, p.key, err)
	}
}

// alertOf tells operators of an error of a feed.
func (f *Feeder) alertOf(ctx context.Context, k checkpoint.Key, err error) {
	e := fault.As(err)
	f.alert(ctx, events.Alert{
		Severity: "warning", Kind: e.Kind.String(), Connection: k.Connection,
		Message: fmt.Sprintf("%s of %s at %s: %s", k.Work, k.Feed, k.Connection, err.Error()), Hint: e.Hint,
	}, string(k.Work)+" "+k.Feed)
}

// alert publishes an alert; the server drops repeats of one kind about one
// thing within its window.
func (f *Feeder) alert(ctx context.Context, a events.Alert, about string) {
	a.At = now()
	b, err := json.Marshal(a)
	if err == nil {
		_, err = f.Bus.Publish(ctx, bus.Message{
			Subject: events.AlertSubject(a.Severity, a.Kind, a.Connection), Data: b,
			ID: "alert:" + a.Connection + ":" + a.Kind + ":" + about,
		})
	}
	if err != nil {
		f.Log.Error("feeder: alert not stored", "connection", a.Connection, "kind", a.Kind, "error", err)
	}
}

// The conditions of a connection, as the sinks report them too.
const (
	conditionRunning      = "running"
	conditionUnauthorized = "unauthorized"
)

// unauthorized reports that the vendor refuses the credentials.
func (p *pass) unauthorized(ctx context.Context, err error) {
	c := events.Condition{State: conditionUnauthorized, Reason: err.Error(), Hint: fault.As(err).Hint, Since: now()}
	b, marshal := json.Marshal(c)
	if marshal == nil {
		_, marshal = p.states.Put(ctx, events.Token(p.conn.Name), b)
	}
	if marshal != nil {
		p.Log.Warn("feeder: condition not stored", "connection", p.conn.Name, "error", marshal)
	}
	p.alert(ctx, events.Alert{
		Severity: "critical", Kind: fault.Unauthorized.String(), Connection: p.conn.Name, Message: c.Reason, Hint: c.Hint,
	}, "")
}

// recovered takes back the report of refused credentials, once a page came
// again, unless something else was reported since.
func (p *pass) recovered(ctx context.Context) {
	f := p.state.Failure
	p.state.Failure = nil
	if f == nil || f.Kind != fault.Unauthorized.String() {
		return
	}
	e, err := p.states.Get(ctx, events.Token(p.conn.Name))
	var c events.Condition
	if err == nil {
		err = json.Unmarshal(e.Value(), &c)
	}
	if err != nil || c.State != conditionUnauthorized || c.Reason != f.Message {
		return
	}
	b, err := json.Marshal(events.Condition{State: conditionRunning, Since: now()})
	if err == nil {
		_, err = p.states.Update(ctx, events.Token(p.conn.Name), b, e.Revision())
	}
	if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
		p.Log.Warn("feeder: condition not stored", "connection", p.conn.Name, "error", err)
	}
}
