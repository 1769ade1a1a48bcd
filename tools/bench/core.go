package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

type options struct {
	events, records, size int
	profile               string
}

// report is what the core benchmark found.
type report struct {
	Events  int `json:"events"`
	Records int `json:"records"`
	Bytes   int `json:"bytesPerEvent"`
	// LimitPerSecond is how many messages of the same bytes raw atomic
	// batches of 1,000 put into one stream.
	LimitPerSecond float64 `json:"limitPerSecond"`
	// EventsPerSecond is from the first POST until every event is merged and
	// routed, on disk.
	EventsPerSecond float64 `json:"eventsPerSecond"`
	// IngestPerSecond is until the last POST was answered.
	IngestPerSecond float64 `json:"ingestPerSecond"`
	Ratio           float64 `json:"ratio"`
	// Latency is from POST to the desired document at half that rate.
	LoadPerSecond float64       `json:"loadPerSecond"`
	P50           time.Duration `json:"p50"`
	P99           time.Duration `json:"p99"`
	Max           time.Duration `json:"max"`
	// CPUPer100k and PeakRSS are of the whole process, NATS included.
	CPUPer100k float64 `json:"cpuSecondsPer100k"`
	PeakRSSMiB float64 `json:"peakRSSMiB"`
	ReadyMS    int64   `json:"readyMs"`
	// Calls are the API calls that a vendor got for Burst events about
	// BurstRecords records.
	Burst        int     `json:"burstEvents"`
	BurstRecords int     `json:"burstRecords"`
	Calls        int     `json:"burstCalls"`
	CallsPer     float64 `json:"callsPerEvent"`
}

// print writes the figures for people.
func (r report) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "limit: raw atomic batches of %d-byte messages   %9.0f /s\n", r.Bytes, r.LimitPerSecond)
	_, _ = fmt.Fprintf(w, "spoke: POST → EVENTS → merge, route → HUB       %9.0f /s   %.2f of the limit\n", r.EventsPerSecond, r.Ratio)
	_, _ = fmt.Fprintf(w, "       POST → EVENTS alone                      %9.0f /s\n", r.IngestPerSecond)
	_, _ = fmt.Fprintf(w, "POST to desired document at %.0f /s:  p50 %v  p99 %v  max %v\n", r.LoadPerSecond, r.P50.Round(time.Millisecond), r.P99.Round(time.Millisecond), r.Max.Round(time.Millisecond))
	_, _ = fmt.Fprintf(w, "CPU seconds per 100,000 events: %.1f   peak RSS: %.0f MiB   ready after %d ms\n", r.CPUPer100k, r.PeakRSSMiB, r.ReadyMS)
	_, _ = fmt.Fprintf(w, "%d events about %d records made %d API calls at the vendor: %.2f per event\n", r.Burst, r.BurstRecords, r.Calls, r.CallsPer)
}

// core builds Spoke, measures the limit, then Spoke.
func core(ctx context.Context, o options) (report, error) {
	r := report{Events: o.events, Records: o.records, Bytes: o.size}
	dir, err := os.MkdirTemp("", "spoke-bench-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin := filepath.Join(dir, "spoke")
	if err := build(ctx, bin); err != nil {
		return r, err
	}
	load := newLoad(o)
	if r.LimitPerSecond, err = rawLimit(filepath.Join(dir, "raw"), load); err != nil {
		return r, err
	}
	v := newVendor()
	defer v.close()
	p, err := start(ctx, launch{
		bin: bin, data: filepath.Join(dir, "data"), vendor: v.url(), services: []string{"ingest", "transform"},
		limits: "{concurrent: 8}", profile: o.profile,
	})
	if err != nil {
		return r, err
	}
	defer p.stop()
	r.ReadyMS = p.ready.Milliseconds()
	if err := throughput(ctx, p, load, &r); err != nil {
		return r, err
	}
	if err := latency(ctx, p, load, &r); err != nil {
		return r, err
	}
	r.PeakRSSMiB = p.peakRSS()
	p.stop()
	return r, burst(ctx, bin, filepath.Join(dir, "burst"), v, load, &r)
}

func throughput(ctx context.Context, p *process, l *load, r *report) error {
	cpu := p.cpu()
	began := time.Now()
	if err := l.post(ctx, p.base, l.events, 0); err != nil {
		return err
	}
	posted := time.Since(began)
	if err := p.drained(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	r.IngestPerSecond = float64(l.events) / posted.Seconds()
	r.EventsPerSecond = float64(l.events) / took.Seconds()
	r.Ratio = r.EventsPerSecond / r.LimitPerSecond
	r.CPUPer100k = (p.cpu() - cpu) / float64(l.events) * 100_000
	return nil
}
