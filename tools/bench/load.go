package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	perPost = 100
	posters = 16
	token   = "bench-upstream-token"
)

// load makes events about companies: a name, an address, and a note that
// brings each to its size.
type load struct {
	options
	client *http.Client
	note   string
	serial atomic.Int64
	sent   sync.Map // serial → time of POST, for latency
	inTurn bool     // each record once before any twice
	last   map[int]int64
}

func newLoad(o options) *load {
	l := &load{options: o, last: map[int]int64{}, client: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 2 * posters},
	}}
	l.note = strings.Repeat("a note that is neither short nor long. ", 1+o.size/40)
	bare, _ := json.Marshal(l.event(0, 0, 0))
	l.note = l.note[:max(0, min(len(l.note), o.size-len(bare)))]
	return l
}

// event is one CloudEvent. The phone holds the serial number, so that the
// desired document tells which event it is of.
func (l *load) event(serial int64, record int, note int) map[string]any {
	return map[string]any{
		"specversion": "1.0", "id": fmt.Sprintf("e-%d", serial), "source": "/bench", "type": "com.bench.company.changed.v1",
		"subject": fmt.Sprintf("company/c%d", record), "time": time.Now().UTC().Format(time.RFC3339Nano),
		"datacontenttype": "application/json",
		"data": map[string]any{
			"name": fmt.Sprintf("Company %d", record), "phone": fmt.Sprint(serial), "email": fmt.Sprintf("billing@c%d.example", record),
			"street": "1 Long Street", "city": "Springfield", "zip": "12345", "country": "US",
			"custom": map[string]any{"note": l.note[:min(note, len(l.note))]},
		},
	}
}

func (l *load) batch(n int) []byte {
	events := make([]map[string]any, n)
	now := time.Now()
	for i := range events {
		serial := l.serial.Add(1)
		l.sent.Store(serial, now)
		record := rand.IntN(l.records)
		if l.inTurn {
			record = int(serial) % l.records
		}
		l.last[record] = serial
		events[i] = l.event(serial, record, len(l.note))
	}
	b, err := json.Marshal(events)
	if err != nil {
		panic(err)
	}
	return b
}

// post sends n events in batches; rate 0 sends as fast as they are taken,
// otherwise so many events a second, whatever the answers take.
func (l *load) post(ctx context.Context, base string, n int, rate float64) error {
	var wg sync.WaitGroup
	slots := make(chan struct{}, posters)
	if rate > 0 {
		slots = make(chan struct{}, 64)
	}
	var failed atomic.Pointer[error]
	next := time.Now()
	size := perPost
	if rate > 0 {
		size = max(1, int(rate/100)) // a POST each 10 ms
	}
	for sent := 0; sent < n && failed.Load() == nil && ctx.Err() == nil; sent += size {
		if rate > 0 {
			time.Sleep(time.Until(next))
			next = next.Add(time.Duration(float64(size) / rate * float64(time.Second)))
		}
		slots <- struct{}{}
		body := l.batch(min(size, n-sent))
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			if err := l.send(ctx, base, body); err != nil {
				failed.Store(&err)
			}
		}()
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

func (l *load) send(ctx context.Context, base string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/events", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/cloudevents-batch+json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode >= 300 {
		return fmt.Errorf("POST /events: %s: %s", resp.Status, answer)
	}
	return nil
}
