package netsuite

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/rest"
)

// clock is the time that signatures carry: the machine's, or NetSuite's once
// it is seen to be another. NetSuite refuses signatures that are five minutes
// off, and gives no reason.
type clock struct {
	local  func() time.Time
	client rest.Client // without credentials

	mu     sync.Mutex
	offset time.Duration
	last   time.Time // of the last measurement
}

const (
	// timePath answers the server's time.
	timePath = "/system/v1/serverTime"
	// tolerated is how far the clocks may be apart before it is corrected.
	tolerated = 30 * time.Second
	// measureEvery keeps refused logins from asking for the time each time.
	measureEvery = time.Minute
)

// now is the time for signatures.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local().Add(c.offset)
}

// measure compares the clocks after a login was refused. It reports whether the
// correction changed, so that another signature may do better.
func (c *clock) measure(ctx context.Context) bool {
	before := c.local()
	c.mu.Lock()
	fresh := !c.last.IsZero() && before.Sub(c.last).Abs() < measureEvery
	c.last = before
	c.mu.Unlock()
	if fresh {
		return false
	}
	resp, err := c.client.Do(ctx, rest.Request{
		Op: "netsuite: read the server's time", Method: http.MethodGet, Path: timePath, Safe: true,
		Header: http.Header{"Accept": {"application/json"}},
	})
	if err != nil {
		return false
	}
	server, ok := serverTime(resp)
	if !ok {
		return false
	}
	after := c.local()
	offset := server.Sub(before.Add(after.Sub(before) / 2))
	if offset.Abs() < tolerated {
		offset = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := (offset - c.offset).Abs() >= tolerated
	if changed {
		c.offset = offset
	}
	return changed
}

// serverTime reads the answer of timePath, or the header that every answer
// has: without credentials the former may be refused.
func serverTime(resp *rest.Response) (time.Time, bool) {
	if resp.OK() {
		var fields map[string]any
		if json.Unmarshal(resp.Body, &fields) == nil {
			for _, v := range fields {
				text, _ := v.(string)
				if at, err := time.Parse(time.RFC3339, text); err == nil {
					return at, true
				}
			}
		}
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	return at, err == nil
}
