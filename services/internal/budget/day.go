package budget

import (
	"context"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// day counts the calls of a calendar day. Calls are taken from the count that
// all processes share some at a time; what a process has taken and not used
// when it dies is spent.
type day struct {
	limit, background int
	zone              *time.Location
	counter           dayCounter

	mu     sync.Mutex
	date   string
	inHand [2]int // calls, and background calls
	spent  [2]bool
}

// spent is how many calls of a day were taken, and how many of them for
// background calls.
type spent struct {
	Date       string `json:"date"`
	Calls      int    `json:"calls"`
	Background int    `json:"background,omitempty"`
}

// dayCounter is where the count is kept.
type dayCounter interface {
	// change replaces the count by what f makes of it, as one step.
	change(ctx context.Context, f func(spent) spent) error
}

const (
	// dayShare of what is left is taken at a time, dayMost at most.
	dayShare = 100
	dayMost  = 500
)

func newDay(l connector.Limits, c dayCounter) *day {
	d := &day{limit: l.PerDay, zone: l.Zone, counter: c}
	if d.zone == nil {
		d.zone = time.UTC
	}
	share := l.Background
	if share <= 0 || share > 1 {
		share = defaultBackground
	}
	d.background = int(float64(l.PerDay) * share)
	return d
}

// take uses one call of the day. It waits for midnight when all are spent,
// unless ctx ends before.
// It returns the day, for giveBack.
func (d *day) take(ctx context.Context, background bool) (date string, err error) {
	if d.limit <= 0 {
		return "", nil
	}
	i := index(background)
	for {
		now := time.Now().In(d.zone)
		d.mu.Lock()
		date = now.Format(time.DateOnly)
		if d.date != date {
			d.date, d.inHand, d.spent = date, [2]int{}, [2]bool{}
		}
		if d.inHand[i] > 0 {
			d.inHand[i]--
			d.mu.Unlock()
			return date, nil
		}
		over := d.spent[i]
		d.mu.Unlock()
		if over {
			left := midnight(now).Sub(now)
			if deadline, ok := ctx.Deadline(); ok && deadline.Before(now.Add(left)) {
				return "", &Wait{For: left}
			}
			if err := sleep(ctx, left); err != nil {
				return "", err
			}
			continue
		}
		if err := d.fetch(ctx, date, background); err != nil {
			return "", err
		}
	}
}

// fetch takes some calls of the day from the shared count.
func (d *day) fetch(ctx context.Context, date string, background bool) error {
	var got int
	err := d.counter.change(ctx, func(s spent) spent {
		if s.Date < date { // a clock that is behind does not bring yesterday back
			s = spent{Date: date}
		}
		left := d.limit - s.Calls
		if background {
			left = min(left, d.background-s.Background)
		}
		got = max(min(left, max(left/dayShare, 1), dayMost), 0)
		s.Calls += got
		if background {
			s.Background += got
		}
		return s
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.date == date {
		d.inHand[index(background)] += got
		d.spent[index(background)] = got == 0
	}
	return nil
}

// giveBack returns a call of a day that was not made.
func (d *day) giveBack(date string, background bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limit > 0 && d.date == date {
		d.inHand[index(background)]++
	}
}

// paused returns how long it is until the next calls, when those of the day
// are spent.
func (d *day) paused() time.Duration {
	if d.limit <= 0 {
		return 0
	}
	now := time.Now().In(d.zone)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.date != now.Format(time.DateOnly) || !d.spent[0] || d.inHand[0] > 0 {
		return 0
	}
	return midnight(now).Sub(now)
}

func index(background bool) int {
	if background {
		return 1
	}
	return 0
}

// midnight is when the day after now's begins.
func midnight(now time.Time) time.Time {
	y, m, d := now.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, now.Location())
}

// localDay is a count in memory.
type localDay struct {
	mu sync.Mutex
	s  spent
}

func (l *localDay) change(_ context.Context, f func(spent) spent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s = f(l.s)
	return nil
}
