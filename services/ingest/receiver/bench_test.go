package receiver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/ingest/receiver"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// discard is a store that costs nothing.
type discard struct{}

func (discard) Publish(context.Context, ...bus.Message) error { return nil }

const batchSize = 100

// kilobyte is an order of about 1 KB.
func kilobyte(id string) string {
	line := `{"id":"1","product":{"object":"product","id":"P-100"},"name":"Steel bracket, 40 mm","sku":"SB-40","quantity":"3","price":{"amount":"12.30","currency":"EUR"}}`
	return order(`"e1"`, `"`+id+`"`, `"custom":`, `"lines":[`+line+`,`+line+`],"company":{"object":"company","id":"C-7"},"placedOn":"2026-11-22","status":"open","custom":`,
		`"web"`, `"`+strings.Repeat("w", 240)+`"`)
}

// batchBody makes one batch, in which "ROUND" is part of every id.
func batchBody() string {
	var b strings.Builder
	for i := range batchSize {
		fmt.Fprintf(&b, ",%s", kilobyte(fmt.Sprintf("ROUND-%d", i)))
	}
	return "[" + b.String()[1:] + "]"
}

// BenchmarkEvents posts batches of 100 events of 1 KB. ns/event is the whole
// way and cpu-ns/event the processor's time for it, of the client too.
func BenchmarkEvents(b *testing.B) {
	b.Run("without store", func(b *testing.B) { benchmarkEvents(b, unserved(b, discard{}), 1) })
	b.Run("stored", func(b *testing.B) { benchmarkEvents(b, setup(b).receiver, 1) })
	b.Run("stored by 8 callers", func(b *testing.B) { benchmarkEvents(b, setup(b).receiver, 8) })
}

func benchmarkEvents(b *testing.B, r *receiver.Receiver, callers int) {
	size := len(kilobyte("0-0"))
	b.SetBytes(int64(size * batchSize))
	b.ReportAllocs()
	template := batchBody()
	rounds := make(chan int)
	done := make(chan int)
	for range callers {
		go func() {
			bad := 0
			for round := range rounds {
				w := httptest.NewRecorder()
				if r.ServeHTTP(w, postEvents(batch, strings.ReplaceAll(template, "ROUND", strconv.Itoa(round)))); w.Code != http.StatusOK {
					bad++
				}
			}
			done <- bad
		}()
	}
	started := cpu()
	round := 0
	for b.Loop() {
		rounds <- round
		round++
	}
	close(rounds)
	for range callers {
		require.Zero(b, <-done)
	}
	n := float64(round * batchSize)
	b.ReportMetric(float64(cpu()-started)/n, "cpu-ns/event")
	b.ReportMetric(float64(b.Elapsed())/n, "ns/event")
}

// BenchmarkDecode compares the reading of one event of 1 KB with the SDK's.
func BenchmarkDecode(b *testing.B) {
	one := kilobyte("1")
	b.Run("sdk", func(b *testing.B) {
		for b.Loop() {
			var e cloudevents.Event
			require.NoError(b, e.UnmarshalJSON([]byte(one)))
			require.NoError(b, e.Validate())
		}
	})
	b.Run("request", func(b *testing.B) {
		r := unserved(b, discard{})
		for b.Loop() {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, postEvents(structured, one))
		}
	})
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
