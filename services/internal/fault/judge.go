package fault

import "time"

// Action is what the runtime does with a document whose call failed.
type Action uint8

// The actions.
const (
	Retry      Action = iota // try again after Delay
	Wait                     // the vendor asked for a pause; no attempt is spent
	Stop                     // stop pulling until the vendor answers again
	Pause                    // pause the connection until a person or new credentials end it
	LookUp                   // find out whether it took effect, then decide
	Reapply                  // read the vendor's version and apply on it
	Hold                     // hold until the dependency arrives
	Quarantine               // set apart with its reason
)

// Breaker is how an error counts for the connection's circuit breaker.
type Breaker uint8

// The ways to count.
const (
	BreakerSuccess Breaker = iota // the vendor answered properly
	BreakerFailure                // counts towards opening
	BreakerTrip                   // opens it at once
	BreakerIgnore                 // says nothing about the vendor's health
)

// Verdict is the answer of Judge.
type Verdict struct {
	Action Action
	// Delay is how long to wait before the next try, at the least.
	Delay   time.Duration
	Breaker Breaker
	// Alert asks for an operator's attention.
	Alert bool
}

// Limits of Judge.
const (
	// QuickTries is how often a transient error is retried within seconds.
	QuickTries = 3
	// InternalTries bounds what may be a bug: more tries won't mend it.
	InternalTries = 3
	// ReapplyTries bounds the fight with another writer over one object.
	ReapplyTries = 5
	quickBase    = 250 * time.Millisecond
	slowBase     = 5 * time.Second
	slowMax      = 5 * time.Minute
	throttleWait = time.Second
)

// Bounded reports whether only a few tries may end in this kind. For such a
// kind Judge is told the number of those tries, not of all.
func (k Kind) Bounded() bool { return k == Conflict || k == Internal }

// Judge decides what follows from err at the given attempt (from 1; see
// Bounded). It is total and pure: jitter in [0,1) comes from the caller, so
// that a replica and its tests can choose it.
func Judge(err error, attempt int, jitter float64) Verdict {
	e := As(err)
	v := judgeKind(e.Kind, attempt, jitter)
	if e.RetryAfter > v.Delay {
		v.Delay = e.RetryAfter
	}
	return v
}

func judgeKind(k Kind, attempt int, jitter float64) Verdict {
	switch k {
	case Transient:
		return Verdict{Action: Retry, Delay: Backoff(attempt, jitter), Breaker: BreakerFailure}
	case Throttled:
		return Verdict{Action: Wait, Delay: throttleWait, Breaker: BreakerIgnore}
	case Unavailable:
		return Verdict{Action: Stop, Delay: Backoff(attempt, jitter), Breaker: BreakerTrip, Alert: true}
	case Unauthorized:
		return Verdict{Action: Pause, Breaker: BreakerTrip, Alert: true}
	case Ambiguous:
		return Verdict{Action: LookUp, Delay: Backoff(attempt, jitter), Breaker: BreakerFailure}
	case Conflict:
		if attempt > ReapplyTries {
			return Verdict{Action: Quarantine, Breaker: BreakerSuccess, Alert: true}
		}
		return Verdict{Action: Reapply, Delay: Backoff(attempt, jitter), Breaker: BreakerSuccess}
	case Missing:
		return Verdict{Action: Hold, Breaker: BreakerSuccess}
	case Rejected:
		return Verdict{Action: Quarantine, Breaker: BreakerSuccess, Alert: true}
	case Malformed:
		return Verdict{Action: Quarantine, Breaker: BreakerIgnore, Alert: true}
	default: // Internal, and any kind yet unknown
		if attempt >= InternalTries {
			return Verdict{Action: Quarantine, Breaker: BreakerIgnore, Alert: true}
		}
		return Verdict{Action: Retry, Delay: Backoff(attempt, jitter), Breaker: BreakerIgnore}
	}
}

// Backoff returns the full-jitter delay before the try after the given
// attempt: some quick tries, then slow ones that double up to five minutes.
func Backoff(attempt int, jitter float64) time.Duration {
	attempt = max(attempt, 1)
	ceiling := quickBase << (min(attempt, QuickTries) - 1)
	if attempt > QuickTries {
		// 5 s shifted 6 times is beyond slowMax, so the shift can't overflow.
		ceiling = min(slowBase<<min(attempt-QuickTries-1, 6), slowMax)
	}
	return time.Duration(jitter * float64(ceiling))
}
