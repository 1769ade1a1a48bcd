package feeder_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// TestAMillionObjectsTakeNoMoreMemoryThanAPage. It is not run beside others,
// whose memory it would measure.
func TestAMillionObjectsTakeNoMoreMemoryThanAPage(t *testing.T) {
	const objects, page = million, 1000
	r := newRig(t, newVendor(0))
	var base, most uint64
	stored, pages, ended := 0, 0, make(chan struct{})
	r.publisher = publishing(func(_ context.Context, msgs ...bus.Message) error {
		if stored += len(msgs); stored == objects {
			close(ended)
		}
		if pages++; pages%20 == 10 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if base == 0 {
				base = m.HeapAlloc
			}
			most = max(most, m.HeapAlloc)
		}
		return nil
	})
	cfg := r.config()
	cfg.Connections[0].Scanner = scanning(func(_ context.Context, s connector.Scan) (connector.Page, error) {
		from, _ := strconv.Atoi(s.Token)
		p := connector.Page{Changes: make([]events.Change, page), Total: objects}
		for i := range p.Changes {
			p.Changes[i] = object{"item", events.EntityProduct, t0, 100}.change(from + i)
		}
		if from+page < objects {
			p.Next = strconv.Itoa(from + page)
		}
		return p, nil
	})
	r.runWith(cfg)
	r.request(time.Time{}, events.EntityProduct)
	select {
	case <-ended:
	case <-time.After(10 * patience): // it takes longer than what others wait for
		require.FailNow(t, "the backfill does not end")
	}
	r.done("item")
	require.Equal(t, objects, stored)
	t.Logf("%d objects: %s at the beginning, at most %s", objects, mib(base), mib(most))
	require.Less(t, most, base+16<<20)
}

func mib(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
