package hubspotbox

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limits counts calls: within any ten seconds, within the day, and searches
// within a second, which are outside the ten-second pool.
type limits struct {
	perTen, perDay int

	mu       sync.Mutex
	calls    []time.Time
	searches []time.Time
	day      string
	today    int
}

// rolling is the window of the short limit.
const rolling = 10 * time.Second

// since drops the times that are older than the window.
func since(times []time.Time, from time.Time) []time.Time {
	i := 0
	for i < len(times) && !times[i].After(from) {
		i++
	}
	return times[i:]
}

// admit counts a call and answers in its place when it is over a limit. It
// sets HubSpot's headers; searches have none.
func (b *Box) admit(w http.ResponseWriter, search bool) bool {
	l := &b.limits
	if l.perTen < 0 {
		return true
	}
	now := b.opts.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if search {
		if l.searches = since(l.searches, now.Add(-time.Second)); len(l.searches) >= searchesPerSec {
			b.throttled(w, "", "You have reached your secondly limit.")
			return false
		}
		l.searches = append(l.searches, now)
		return true
	}
	if day := now.UTC().Format(time.DateOnly); day != l.day {
		l.day, l.today = day, 0
	}
	l.calls = since(l.calls, now.Add(-rolling))
	over, policy := "", ""
	switch {
	case l.today >= l.perDay:
		over, policy = "You have reached your daily limit.", "DAILY"
	case len(l.calls) >= l.perTen:
		over, policy = "You have reached your ten_secondly_rolling limit.", "TEN_SECONDLY_ROLLING"
	default:
		l.calls = append(l.calls, now)
		l.today++
	}
	l.headers(w.Header())
	if over != "" {
		b.throttled(w, policy, over)
	}
	return over == ""
}

func (l *limits) headers(h http.Header) {
	h.Set("X-HubSpot-RateLimit-Max", strconv.Itoa(l.perTen))
	h.Set("X-HubSpot-RateLimit-Remaining", strconv.Itoa(l.perTen-len(l.calls)))
	h.Set("X-HubSpot-RateLimit-Interval-Milliseconds", strconv.FormatInt(rolling.Milliseconds(), 10))
	h.Set("X-HubSpot-RateLimit-Daily", strconv.Itoa(l.perDay))
	h.Set("X-HubSpot-RateLimit-Daily-Remaining", strconv.Itoa(l.perDay-l.today))
}

func (b *Box) throttled(w http.ResponseWriter, policy, message string) {
	p := problem{Message: message}
	if policy == "" {
		p.Category = "RATE_LIMITS"
	} else {
		p.ErrorType, p.PolicyName = "RATE_LIMIT", policy
	}
	b.fail(w, http.StatusTooManyRequests, p)
}
