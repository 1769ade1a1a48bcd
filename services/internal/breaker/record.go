package breaker

import (
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// record is the state of one connection that all processes share. What changes
// it are pure functions.
type record struct {
	// Condition is what people are told.
	events.Condition
	Phase phase `json:"phase,omitempty"`
	// Until is when the vendor may be tried again, Tries how often that was in
	// vain.
	Until time.Time `json:"until,omitzero"`
	Tries int       `json:"tries,omitempty"`
	// Holder tries the vendor, or works alone while it recovers, until Lease.
	Holder string    `json:"holder,omitempty"`
	Lease  time.Time `json:"lease,omitzero"`
	// Lanes is how many calls there may be at once while the vendor recovers.
	Lanes int `json:"lanes,omitempty"`
	// Paused is set while an operator wants no calls.
	Paused bool `json:"paused,omitempty"`
}

// phase is what the connection is in, whether it is paused or not.
type phase string

const (
	closed       phase = ""             // calls go out
	open         phase = "open"         // none does; now and then one is tried
	unauthorized phase = "unauthorized" // as open, until the credentials are taken
	recovering   phase = "recovering"   // one process makes a few, and more with each that goes well
)

const (
	// openBase and openMax bound the full-jitter pause before an open breaker
	// is tried, openLeast keeps it from being none.
	openBase  = 2 * time.Second
	openMax   = 15 * time.Second
	openLeast = 250 * time.Millisecond
	// refusedBase and refusedMax bound how often refused credentials are tried.
	refusedBase = 5 * time.Second
	refusedMax  = 5 * time.Minute
	// holdFor is how long a process that died keeps others from trying.
	holdFor = 10 * time.Second
)

// holds reports whether a process is the one that may make calls.
func (r record) holds(me string, now time.Time) bool { return r.Holder == me && now.Before(r.Lease) }

// claim makes a process the one that tries the vendor, if it is time to and
// nobody else does.
func (r record) claim(me string, now time.Time) (record, bool) {
	if r.Paused || r.Phase == closed || now.Before(r.Until) || r.Holder != me && r.Holder != "" && now.Before(r.Lease) {
		return r, false
	}
	if r.Holder != me && r.Phase == recovering {
		r.Lanes = 1
	}
	r.Holder, r.Lease = me, now.Add(holdFor)
	return r, true
}

// fail notes that the vendor does not answer as it should. It counts only
// where calls were to be made: what was in flight together fails once.
func (r record) fail(me string, now time.Time, err error, jitter float64) (record, bool) {
	if (r.Phase == open || r.Phase == unauthorized) && !r.holds(me, now) {
		return r, false
	}
	r.Tries++
	e := fault.As(err)
	r.Phase, r.Holder, r.Lease, r.Lanes = open, "", time.Time{}, 0
	r.Until = now.Add(max(backoff(openBase, openMax, r.Tries, jitter), openLeast, e.RetryAfter))
	c := events.Condition{
		State: StateOpen, Reason: "the vendor does not answer as it should",
		Hint: "nothing is lost: what is wanted stands in HUB and is written once the vendor answers",
	}
	if e.Kind == fault.Unauthorized {
		r.Phase = unauthorized
		r.Until = now.Add(max(refusedBase<<min(r.Tries-1, 10), e.RetryAfter))
		if limit := now.Add(refusedMax); r.Until.After(limit) {
			r.Until = limit
		}
		c = events.Condition{State: StateUnauthorized, Reason: err.Error(), Hint: e.Hint}
	}
	r.tell(c, now)
	return r, true
}

// succeed notes a call that went well while the vendor was tried or recovers.
// most is when there are enough calls at once for it to count as recovered.
func (r record) succeed(me string, now time.Time, most int) (record, bool) {
	if r.Phase == closed || !r.holds(me, now) {
		return r, false
	}
	r.Lanes = max(2*r.Lanes, 2)
	r.Phase, r.Until, r.Lease = recovering, time.Time{}, now.Add(holdFor)
	c := events.Condition{State: StateRecovering}
	if r.Lanes >= most {
		r.Phase, r.Holder, r.Lease, r.Lanes, r.Tries = closed, "", time.Time{}, 0, 0
		c.State = StateRunning
	}
	r.tell(c, now)
	return r, true
}

// pause stops all calls, until resume.
func (r record) pause(reason string, now time.Time) record {
	r.Paused = true
	if reason == "" {
		reason = "paused by an operator"
	}
	r.Condition = events.Condition{State: StatePaused, Reason: reason, Hint: "spoke resume goes on; nothing is lost meanwhile", Since: now}
	return r
}

// resume ends a pause. What has piled up goes out gently.
func (r record) resume(now time.Time) record {
	if !r.Paused {
		return r
	}
	r.Paused = false
	if r.Phase == closed {
		r.Phase = recovering
	}
	r.Holder, r.Lease, r.Lanes, r.Until = "", time.Time{}, 1, time.Time{}
	state := map[phase]string{open: StateOpen, unauthorized: StateUnauthorized, recovering: StateRecovering}[r.Phase]
	r.tell(events.Condition{State: state}, now)
	return r
}

// tell sets the condition; a pause stays what people see.
func (r *record) tell(c events.Condition, now time.Time) {
	if r.Paused || c.State == r.State && c.Reason == r.Reason {
		return
	}
	c.Since = now
	r.Condition = c
}

// backoff is the full-jitter pause after so many failures.
func backoff(base, most time.Duration, tries int, jitter float64) time.Duration {
	return time.Duration(jitter * float64(min(base<<min(tries-1, 10), most)))
}
