package checkpoint

import (
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Work is what a checkpoint is of.
type Work string

// The kinds of work.
const (
	Poll     Work = "poll"
	Backfill Work = "backfill"
)

// Key names a checkpoint within a tenant.
type Key struct {
	Connection string
	Feed       string
	Work       Work
}

// State is one checkpoint.
type State struct {
	// Until is how far polls have come: the end of the last finished pass, or
	// when polling was set up. It is zero for backfills.
	Until time.Time `json:"until,omitzero"`
	// Mark is what the last finished poll left for the next one.
	Mark string `json:"mark,omitempty"`
	// Request is the backfill that is wanted or under way, Next one that
	// follows it.
	Request *Request `json:"request,omitempty"`
	Next    *Request `json:"next,omitempty"`
	// Pass is under way; nil when none is.
	Pass *Pass `json:"pass,omitempty"`
	// Last is the last pass that ended.
	Last *Summary `json:"last,omitempty"`
	// Failure is why the pass does not go on; nil while it does.
	Failure *Failure `json:"failure,omitempty"`

	// Owner has the turn until Lease.
	Owner string    `json:"owner,omitempty"`
	Lease time.Time `json:"lease,omitzero"`
}

// Pass is one reading of a feed, from the first page to the last.
type Pass struct {
	// Since and Until bound what is read; a zero Since is everything.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until"`
	// Token is where it goes on; empty at the beginning.
	Token   string    `json:"token,omitempty"`
	Started time.Time `json:"started"`
	// Objects and Pages are what was read and stored, Total what the vendor
	// says there is; 0 when it does not.
	Objects int `json:"objects"`
	Pages   int `json:"pages"`
	Total   int `json:"total,omitempty"`
	// Restarts counts how often its token was refused.
	Restarts int `json:"restarts,omitempty"`
}

// Request asks for a backfill of a feed.
type Request struct {
	// ID tells it from others of the feed.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Since leaves out what was not changed since then; zero is everything.
	Since time.Time `json:"since,omitzero"`
	// Entities are those of the feed that are wanted.
	Entities []events.Entity `json:"entities"`
}

// covers reports whether r reads everything that o asks for.
func (r Request) covers(o Request) bool {
	reaches := r.Since.IsZero() || !o.Since.IsZero() && !r.Since.After(o.Since)
	return reaches && !slices.ContainsFunc(o.Entities, func(e events.Entity) bool { return !slices.Contains(r.Entities, e) })
}

// with returns r, extended to what o asks for.
func (r Request) with(o Request) Request {
	if r.Since.IsZero() || o.Since.IsZero() {
		r.Since = time.Time{}
	} else if o.Since.Before(r.Since) {
		r.Since = o.Since
	}
	all := slices.Concat(r.Entities, o.Entities)
	slices.Sort(all)
	r.Entities = slices.Compact(all)
	return r
}

// Summary is a pass that ended.
type Summary struct {
	Since    time.Time `json:"since,omitzero"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Objects  int       `json:"objects"`
	Pages    int       `json:"pages"`
	Canceled bool      `json:"canceled,omitempty"`
}

// Failure is why a pass waits.
type Failure struct {
	events.Problem

	At time.Time `json:"at"`
	// Tries counts failures without a page in between.
	Tries int `json:"tries"`
	// RetryAt is when it goes on.
	RetryAt time.Time `json:"retryAt"`
}

// Begin starts a pass unless one is under way.
func (s *State) Begin(since, until time.Time) {
	if s.Pass == nil {
		s.Pass = &Pass{Since: since, Until: until, Started: until}
	}
}

// Advance notes that a page is stored, and where the pass goes on.
func (s *State) Advance(next string, objects, total int) {
	p := *s.Pass
	p.Token, p.Total = next, max(total, p.Total)
	p.Objects += objects
	p.Pages++
	s.Pass, s.Failure = &p, nil
}

// Finish ends the pass. The next request of a backfill takes its place.
func (s *State) Finish(mark string, at time.Time) {
	p := s.Pass
	s.Last = &Summary{Since: p.Since, Started: p.Started, Ended: at, Objects: p.Objects, Pages: p.Pages}
	if s.Request == nil {
		s.Mark = mark
		if p.Until.After(s.Until) {
			s.Until = p.Until
		}
	}
	s.Request, s.Next = s.Next, nil
	s.Pass, s.Failure = nil, nil
}

// Restart begins the pass anew, for a token that the vendor does not take.
func (s *State) Restart() {
	p := *s.Pass
	p.Token, p.Objects, p.Pages, p.Total = "", 0, 0, 0
	p.Restarts++
	s.Pass = &p
}

// cancel ends a backfill where it is. It reports whether there was one.
func (s *State) cancel(at time.Time) bool {
	if s.Request == nil {
		return false
	}
	s.Last = &Summary{Since: s.Request.Since, Started: s.Request.At, Ended: at, Canceled: true}
	if s.Pass != nil {
		s.Last.Objects, s.Last.Pages, s.Last.Started = s.Pass.Objects, s.Pass.Pages, s.Pass.Started
	}
	s.Request, s.Next, s.Pass, s.Failure = nil, nil, nil, nil
	return true
}

// requestID is the id of the request that is served; empty for polls.
func (s *State) requestID() string {
	if s.Request == nil {
		return ""
	}
	return s.Request.ID
}

// name is the key in the bucket.
func (k Key) name(tenant string) string {
	return strings.Join([]string{events.Token(tenant), events.Token(k.Connection), events.Token(k.Feed), string(k.Work)}, ".")
}
