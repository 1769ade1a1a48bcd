package netsuite

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// zone tells how the dates of SuiteQL stand to UTC: they are in the time zone
// of the account or the user, whose name no service tells.
type zone struct {
	api  *api
	name string // of the configured zone; empty measures it
	now  func() time.Time

	mu     sync.Mutex
	offset time.Duration
	server time.Duration // the server's clock less ours
	at     time.Time     // of the measurement
}

const (
	// measured is how long a measurement holds. It is well below the feeds'
	// overlap, so that nothing is missed when the clocks go back.
	measured = time.Minute
	// grain is what offsets of time zones are multiples of.
	grain = 15 * time.Minute
)

// stand is how the account's clock and ours stood at one moment.
type stand struct {
	ahead time.Duration // the server's clock less ours
	now   time.Time     // the server's time
	loc   *time.Location
}

// stand measures the server's time and, unless the zone is configured, the
// offset of the database's time.
func (z *zone) stand(ctx context.Context) (stand, error) {
	z.mu.Lock()
	fresh := !z.at.IsZero() && z.now().Sub(z.at).Abs() < measured
	offset, server := z.offset, z.server
	z.mu.Unlock()
	if !fresh {
		var err error
		if offset, server, err = z.measure(ctx); err != nil {
			return stand{}, err
		}
		z.mu.Lock()
		z.offset, z.server, z.at = offset, server, z.now()
		z.mu.Unlock()
	}
	s := stand{ahead: server, now: z.now().Add(server).UTC(), loc: time.FixedZone("", int(offset/time.Second))}
	if z.name != "" {
		loc, err := time.LoadLocation(z.name)
		if err != nil {
			return stand{}, fault.New(fault.Internal, "netsuite: read the time zone", "%w", err)
		}
		s.loc = loc
	}
	return s, nil
}

func (z *zone) measure(ctx context.Context) (offset, server time.Duration, err error) {
	const op = "read the server's time"
	before := z.now()
	resp, absent, err := z.api.do(ctx, call{op: op, method: http.MethodGet, path: timePath})
	if resp != nil && resp.Status == http.StatusForbidden {
		err = nil // a role that may not ask: the answer's own header has the time
	}
	if err != nil {
		return 0, 0, err
	}
	at, ok := serverTime(resp)
	if absent || !ok {
		return 0, 0, unreadable(op)
	}
	server = at.Sub(before)
	if z.name != "" {
		return 0, server, nil
	}
	rows, err := z.api.query(ctx, "read the database's time", "SELECT TO_CHAR(SYSDATE, "+dateMask+") AS now FROM dual")
	if err != nil {
		return 0, 0, err
	}
	if len(rows) != 1 {
		return 0, 0, unreadable("read the database's time")
	}
	local, err := time.Parse(time.DateTime, rows[0].text("now"))
	if err != nil {
		return 0, 0, unreadable("read the database's time")
	}
	return local.Sub(at).Round(grain), server, nil
}

// span is a span of UTC in local time, wide enough for both offsets that a
// change to or from summer time has: what is read twice is harmless, what is
// missed is lost. before is the offset at the end of the last pass.
func (s stand) span(since, until time.Time, before time.Duration) (from, to string) {
	offsets := []time.Duration{before, s.offsetAt(since), s.offsetAt(until)}
	least, most := offsets[0], offsets[0]
	for _, o := range offsets {
		least, most = min(least, o), max(most, o)
	}
	if !since.IsZero() {
		from = since.UTC().Add(least).Format(time.DateTime)
	}
	return from, until.UTC().Add(most).Format(time.DateTime)
}

func (s stand) offsetAt(t time.Time) time.Duration {
	if t.IsZero() {
		return s.offsetAt(s.now)
	}
	_, seconds := t.In(s.loc).Zone()
	return time.Duration(seconds) * time.Second
}

// utc reads a date of SuiteQL.
func (s stand) utc(text string) (time.Time, bool) {
	at, err := time.ParseInLocation(time.DateTime, text, s.loc)
	return at.UTC(), err == nil
}
