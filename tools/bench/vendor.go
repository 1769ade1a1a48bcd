package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// vendor answers like an ERP that takes everything at once, and counts.
type vendor struct {
	server *httptest.Server
	calls  atomic.Int64

	mu    sync.Mutex
	known map[string]int
	down  bool
	at    []time.Time // of each call
	// writes and phone, by the vendor's id: how often an object was written, and
	// what it holds.
	writes map[string]int
	phone  map[string]string
}

func newVendor() *vendor {
	v := &vendor{known: map[string]int{}, writes: map[string]int{}, phone: map[string]string{}}
	v.server = httptest.NewServer(v)
	return v
}

func (v *vendor) url() string { return v.server.URL }
func (v *vendor) close()      { v.server.Close() }

// ServeHTTP implements http.Handler.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.calls.Add(1)
	body, _ := io.ReadAll(r.Body)
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	v.mu.Lock()
	v.at = append(v.at, time.Now())
	if v.down {
		v.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	n, exists := v.known[id]
	if r.Method != http.MethodGet && !exists {
		n = len(v.known) + 1
		v.known[id] = n
		v.known[fmt.Sprint(n)] = n
	}
	if r.Method != http.MethodGet {
		v.wrote(fmt.Sprint(n), body)
	}
	v.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Location", fmt.Sprintf("%s/services/rest/record/v1/customer/%d", v.server.URL, n))
		w.WriteHeader(http.StatusNoContent)
	case exists:
		_, _ = fmt.Fprintf(w, `{"id":"%d","entityId":"C%d"}`, n, n)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"title":"Not Found","status":404,"o:errorDetails":[{"detail":"no such record","o:errorCode":"NONEXISTENT_ID"}]}`)
	}
}

// wrote notes what an object holds now.
func (v *vendor) wrote(id string, body []byte) {
	var doc struct{ Phone, ExternalID string }
	_ = json.Unmarshal(body, &doc) // a body that is none differs in the end
	v.writes[id]++
	if doc.Phone != "" {
		v.phone[id] = doc.Phone
	}
}

// differs returns how many objects hold something else than was told last, by
// the serial number that is their phone.
func (v *vendor) differs(last map[int]int64) int {
	want := make(map[string]bool, len(last))
	for _, serial := range last {
		want[fmt.Sprint(serial)] = true
	}
	for _, phone := range v.phone {
		delete(want, phone)
	}
	return len(want)
}

const (
	burstEvents  = 5000
	burstRecords = 50
)

// burst posts many events about few records while the sink writes, and counts
// the calls that reach the vendor.
func burst(ctx context.Context, bin, data string, v *vendor, l *load, r *report) error {
	p, err := start(ctx, launch{bin: bin, data: data, vendor: v.url(), services: []string{"ingest", "transform", "netsuite-sink"}, limits: "{concurrent: 8}"})
	if err != nil {
		return err
	}
	defer p.stop()
	l.records = burstRecords
	before := v.calls.Load()
	if err := l.post(ctx, p.base, burstEvents, 0); err != nil {
		return err
	}
	if err := p.drained(ctx); err != nil {
		return err
	}
	if err := p.idle(ctx, events.StreamHub, "sink_erp"); err != nil {
		return err
	}
	r.Burst, r.BurstRecords = burstEvents, burstRecords
	r.Calls = int(v.calls.Load() - before)
	r.CallsPer = float64(r.Calls) / burstEvents
	return nil
}
