package connector

import (
	"context"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Feed is one way to read a vendor's objects without being told of each: a
// list of one type, or a log of changes to several.
type Feed struct {
	// Name is usually that of its one object type: "customer". A log of several
	// has a name of its own: "journal".
	Name string
	// Objects are the types that it yields.
	Objects []string
	// Backfill is true for a feed that can yield everything there is.
	Backfill bool
	// Poll is true for a feed that can yield what changed since a time.
	Poll bool
	// Every is how often it is polled while its entities are kept in real
	// time: often where the vendor has no webhooks, seldom where it only heals
	// what a webhook missed. 0 polls only entities that are set to an interval.
	Every time.Duration
	// Overlap is how far a poll reaches back before the end of the last one:
	// the vendor's index lags, and its clock is not ours.
	Overlap time.Duration
	// MaxAge is how far back a poll can reach; after a longer gap the runtime
	// backfills from there. 0 is without limit.
	MaxAge time.Duration
}

// Scan asks for one page of a feed. A pass over a feed is a row of scans, each
// with the Next of the page before.
type Scan struct {
	Feed string
	// Since and Until bound the pass: what changed in [Since, Until]. They stay
	// the same for a whole pass. A zero Since asks for everything there is: a
	// backfill.
	Since, Until time.Time
	// Token says where the pass goes on; empty at its beginning.
	Token string
	// Mark is what the last finished pass left, in polls only; empty before
	// there was one.
	Mark string
}

// Page is what came of one Scan.
type Page struct {
	// Changes are snapshots, deletions, or signals of what must be read. One
	// object may come more than once in a pass. A connector whose pages show
	// objects as they are, and not as an index of the vendor's remembers them,
	// says when it read the page (events.Change.ReadBetween).
	Changes []events.Change
	// Next is the Token of the next scan; empty ends the pass. It is stored,
	// and must still be good after a restart and days later.
	Next string
	// Mark is for the next pass; only that of the last page counts.
	Mark string
	// Total is how many objects the whole pass has, as far as the vendor
	// tells; 0 when it does not.
	Total int
}

// Scanner reads objects in pages.
type Scanner interface {
	// Scan reads one page with as few calls as the vendor allows. It holds no
	// more than the page in memory, keeps nothing between scans, and a scan
	// that is repeated yields the same objects again, or newer versions of
	// them. Errors have a kind; an outdated or unknown Token is Malformed, on
	// which the pass begins anew.
	Scan(ctx context.Context, s Scan) (Page, error)
}

// Feed returns a feed by name.
func (k Kind) Feed(name string) (Feed, bool) {
	i := slices.IndexFunc(k.Feeds, func(f Feed) bool { return f.Name == name })
	if i < 0 {
		return Feed{}, false
	}
	return k.Feeds[i], true
}

// Entities returns the canonical kinds of what a feed yields.
func (k Kind) Entities(f Feed) []events.Entity {
	var all []events.Entity
	for _, name := range f.Objects {
		if o, ok := k.Object(name); ok && !slices.Contains(all, o.Entity) {
			all = append(all, o.Entity)
		}
	}
	slices.Sort(all)
	return all
}

// Polled reports whether a feed of the kind tells of changes to a type.
func (k Kind) Polled(object string) bool {
	return slices.ContainsFunc(k.Feeds, func(f Feed) bool { return f.Poll && slices.Contains(f.Objects, object) })
}

// Backfilled reports whether a feed of the kind yields all objects of a type.
func (k Kind) Backfilled(object string) bool {
	return slices.ContainsFunc(k.Feeds, func(f Feed) bool { return f.Backfill && slices.Contains(f.Objects, object) })
}
