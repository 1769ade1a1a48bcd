package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// outageOptions size the outage.
type outageOptions struct {
	options
	rate, burst int
}

// outageReport is what a vendor saw that was down while much changed.
type outageReport struct {
	Events  int `json:"events"`
	Objects int `json:"objects"`
	// Rate and Burst are the vendor's limits, kept by two sinks together.
	Rate  int `json:"ratePerSecond"`
	Burst int `json:"burst"`
	// Backlog is how many documents stood in HUB when the vendor came back.
	Backlog int `json:"backlog"`
	// Probes are the calls while it was down for DownSeconds.
	Probes      int     `json:"probes"`
	DownSeconds float64 `json:"downSeconds"`
	// Writes and Calls are from when it was back, for Seconds until the last.
	Writes  int     `json:"writes"`
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"`
	// CallsPerWrite is what the connector needs, measured while all was well.
	CallsPerWrite float64 `json:"callsPerWrite"`
	// Ideal is Objects × CallsPerWrite at Rate, Ratio how much longer it took.
	Ideal float64 `json:"idealSeconds"`
	Ratio float64 `json:"ratio"`
	// Second and Ten are the most calls within any second and any ten seconds,
	// Over how many calls a token bucket of Rate and Burst would have refused.
	Second int `json:"mostInOneSecond"`
	Ten    int `json:"mostInTenSeconds"`
	Over   int `json:"callsOverTheLimit"`
	// Lost is how many objects the vendor holds otherwise than last told.
	Lost  int `json:"lost"`
	Twice int `json:"objectsWrittenTwice"`
}

func (r outageReport) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "vendor down for %.1f s while %d changes hit %d objects: %d documents wait, %d probes\n", r.DownSeconds, r.Events, r.Objects, r.Backlog, r.Probes)
	_, _ = fmt.Fprintf(w, "writes after the recovery %9d   at most %d: one for each object; %d objects twice\n", r.Writes, r.Objects, r.Twice)
	_, _ = fmt.Fprintf(w, "calls within 1 s          %9d   at most %d, by two sinks together\n", r.Second, r.Rate+r.Burst)
	_, _ = fmt.Fprintf(w, "calls within 10 s         %9d   at most %d\n", r.Ten, 10*r.Rate+r.Burst)
	_, _ = fmt.Fprintf(w, "calls over the limit      %9d   of %d\n", r.Over, r.Calls)
	_, _ = fmt.Fprintf(w, "drained in                %9.1f s of %.1f s ideal (%d writes of %.1f calls at %d/s): %.2f, at most 1.20\n",
		r.Seconds, r.Ideal, r.Objects, r.CallsPerWrite, r.Rate, r.Ratio)
	_, _ = fmt.Fprintf(w, "lost                      %9d\n", r.Lost)
}

// ok reports whether the promises were kept.
func (r outageReport) ok() bool {
	return r.Writes <= r.Objects && r.Over == 0 && r.Lost == 0 && r.Ratio <= 1.2
}

// errBroken means that what is promised does not hold.
var errBroken = errors.New("a promise was not kept")

func runOutage(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("outage", flag.ContinueOnError)
	o := outageOptions{options: options{size: 1024}}
	flags.IntVar(&o.events, "events", 50_000, "events to post while the vendor is down")
	flags.IntVar(&o.records, "records", 5_000, "records that they are about")
	flags.IntVar(&o.rate, "rate", 100, "calls a second that the vendor allows")
	flags.IntVar(&o.burst, "burst", 50, "calls that it allows at once")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := outage(ctx, o)
	if err != nil {
		return err
	}
	if *asJSON {
		err = printJSON(r)
	} else {
		r.print(os.Stdout)
	}
	if err == nil && !r.ok() {
		err = errBroken
	}
	return err
}

// outage makes every object, takes the vendor away while they change, and
// watches what happens when it is back.
func outage(ctx context.Context, o outageOptions) (outageReport, error) {
	r := outageReport{Events: o.events, Objects: o.records, Rate: o.rate, Burst: o.burst}
	dir, err := os.MkdirTemp("", "spoke-bench-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin, data := filepath.Join(dir, "spoke"), filepath.Join(dir, "data")
	if err := build(ctx, bin); err != nil {
		return r, err
	}
	l, v := newLoad(o.options), newVendor()
	defer v.close()
	if r.CallsPerWrite, err = makeObjects(ctx, bin, data, v, l); err != nil {
		return r, err
	}
	limits := fmt.Sprintf("{per_second: %d, burst: %d, concurrent: 8}", o.rate, o.burst)
	p, err := start(ctx, launch{bin: bin, data: data, vendor: v.url(), services: outageServices(), limits: limits})
	if err != nil {
		return r, err
	}
	defer p.stop()
	second, err := p.replica(ctx, bin, data, "netsuite-sink")
	if err != nil {
		return r, err
	}
	defer second()
	return r, r.run(ctx, p, l, v)
}

func outageServices() []string { return []string{"ingest", "transform", "netsuite-sink"} }

// makeObjects lets the vendor have every object, and a change to each, as fast
// as it goes. It returns how many calls a change takes.
func makeObjects(ctx context.Context, bin, data string, v *vendor, l *load) (callsPerWrite float64, err error) {
	p, err := start(ctx, launch{bin: bin, data: data, vendor: v.url(), services: outageServices(), limits: "{concurrent: 8}"})
	if err != nil {
		return 0, err
	}
	defer p.stop()
	l.inTurn = true
	for range 2 {
		before := v.calls.Load()
		if err := l.post(ctx, p.base, l.records, 0); err != nil {
			return 0, err
		}
		if err := p.drained(ctx); err != nil {
			return 0, err
		}
		if err := p.idle(ctx, events.StreamHub, "sink_erp"); err != nil {
			return 0, err
		}
		callsPerWrite = float64(v.calls.Load()-before) / float64(l.records)
	}
	return callsPerWrite, nil
}

func (r *outageReport) run(ctx context.Context, p *process, l *load, v *vendor) error {
	v.mu.Lock()
	v.at, v.writes, v.down = nil, map[string]int{}, true
	v.mu.Unlock()
	began := time.Now()
	if err := l.post(ctx, p.base, l.events, 0); err != nil {
		return err
	}
	if err := p.drained(ctx); err != nil {
		return err
	}
	c, err := p.js.Consumer(ctx, events.StreamHub, "sink_erp")
	if err != nil {
		return err
	}
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	r.Backlog = int(info.NumPending) + info.NumAckPending
	v.mu.Lock()
	r.Probes = len(v.at)
	v.down = false
	v.mu.Unlock()
	back := time.Now()
	r.DownSeconds = back.Sub(began).Seconds()
	if err := p.idle(ctx, events.StreamHub, "sink_erp"); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	r.Calls = len(v.at) - r.Probes
	for _, n := range v.writes {
		r.Writes += n
		if n > 1 {
			r.Twice++
		}
	}
	r.Seconds = v.at[len(v.at)-1].Sub(back).Seconds()
	r.Ideal = float64(r.Objects) * r.CallsPerWrite / float64(r.Rate)
	r.Ratio = r.Seconds / r.Ideal
	r.Second, r.Ten = most(v.at, time.Second), most(v.at, 10*time.Second)
	r.Over = over(v.at, float64(r.Rate), float64(r.Burst))
	r.Lost = v.differs(l.last)
	return nil
}

// most returns how many calls came within any span of a length.
func most(at []time.Time, span time.Duration) int {
	n, from := 0, 0
	for to := range at {
		for at[to].Sub(at[from]) >= span {
			from++
		}
		n = max(n, to-from+1)
	}
	return n
}

// over counts the calls that find a token bucket empty: none, when any span of
// time has at most burst + rate × span calls.
func over(at []time.Time, rate, burst float64) int {
	n, tokens := 0, burst
	for i := range at {
		if i > 0 {
			tokens = min(burst, tokens+rate*at[i].Sub(at[i-1]).Seconds())
		}
		if tokens < 1 {
			n++
			continue
		}
		tokens--
	}
	return n
}
