package quickbooks

import (
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// quotaAfter is how long a company answers nothing but 429 before it is taken
// for what an exhausted monthly quota looks like: Intuit answers that in the
// same way as too many calls a minute, and until the next month.
const quotaAfter = 5 * time.Minute

// quota tells a spent quota from haste.
type quota struct {
	now   func() time.Time
	mu    sync.Mutex
	since time.Time // of the first 429 after the last answer
}

// answered ends the row of refusals.
func (q *quota) answered() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.since = time.Time{}
}

// judge turns a refusal that has been going on for minutes into one that stops
// the connection and tells its operators.
func (q *quota) judge(f *fault.Error) *fault.Error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case f.Kind != fault.Throttled:
		q.since = time.Time{}
		return f
	case q.since.IsZero():
		q.since = q.now()
	}
	if q.now().Sub(q.since) < quotaAfter {
		return f
	}
	f.Kind = fault.Unavailable
	return f.WithCode("quota").WithHint("Intuit has answered nothing but 429 for minutes: the app's monthly quota of reads may be spent. " +
		"See the usage of the Intuit app; a higher tier ends it, or the next month")
}
