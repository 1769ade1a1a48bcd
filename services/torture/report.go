package torture

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Report is what a run came to.
type Report struct {
	Seed     uint64       `json:"seed"`
	Accounts Accounts     `json:"accounts"`
	Faults   map[Kind]int `json:"faults"`
	Webhooks Webhooks     `json:"webhooks"`
	Twice    int          `json:"twice"` // effects made more than once
	// Differences between what a system holds and what it should hold.
	Differences []string `json:"differences,omitempty"`
	// Problems of the run: not quiet in time, a process that ended by itself.
	Problems []string      `json:"problems,omitempty"`
	Timeline []string      `json:"timeline,omitempty"`
	Load     time.Duration `json:"load"`
	Settled  time.Duration `json:"settled"`
	Calls    int           `json:"calls"`
}

// Webhooks is what happened to webhooks on their way.
type Webhooks struct{ Taken, Repeated, Delayed, Retried int64 }

// OK reports whether nothing was lost, doubled or different.
func (r *Report) OK() bool {
	return r.Twice == 0 && r.Accounts.Lost == 0 && len(r.Differences) == 0 && len(r.Problems) == 0
}

// FaultCount is how many faults there were.
func (r *Report) FaultCount() (n int) {
	for _, k := range r.Faults {
		n += k
	}
	return n
}

// report compares everything.
func (r *run) report(ctx context.Context, settled time.Duration) *Report {
	v := &verdict{r: r}
	v.compare()
	rep := &Report{
		Seed: r.Seed, Twice: v.twice(), Settled: settled, Load: time.Since(r.began) - settled,
		Webhooks: Webhooks{
			Taken: r.relay.counts.taken.Load(), Repeated: r.relay.counts.repeated.Load(),
			Delayed: r.relay.counts.delayed.Load(), Retried: r.relay.counts.retried.Load(),
		},
	}
	for _, name := range vendors {
		rep.Calls += r.box(name).Counts().TotalCalls()
	}
	b, err := r.dial(ctx)
	if err != nil {
		r.problem("%v", err)
	} else {
		defer b.Close()
		if rep.Accounts, err = v.account(ctx, b); err != nil {
			r.problem("%v", err)
		}
		v.upstreams(func(k events.Key) (events.Record, error) { return recordOf(ctx, b, k) })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rep.Faults, rep.Problems, rep.Timeline = maps.Clone(r.faults), slices.Clone(r.problems), slices.Clone(r.timeline)
	rep.Differences = v.differences
	return rep
}

// upstreams: the shop's last word of each company stands, and each poison event
// is set apart at each vendor.
func (v *verdict) upstreams(record func(events.Key) (events.Record, error)) {
	w := v.r.world
	for _, id := range slices.Sorted(maps.Keys(w.tiers)) {
		k := events.Key{Entity: events.EntityCompany, ID: "shop-" + id}
		rec, err := record(k)
		if err != nil {
			v.differ("%s: %v", k, err)
			continue
		}
		v.equal(k.String()+": custom.tier", textOf(rec, "custom.tier"), w.tiers[id])
	}
	for _, id := range w.poison {
		k := events.Key{Entity: events.EntityCompany, ID: "shop-" + id}
		rec, err := record(k)
		if err != nil || rec.Version == 0 {
			v.differ("%s: there is no record (%v)", k, err)
			continue
		}
		apart := 0
		for _, d := range rec.Docs {
			if d.State == events.StateQuarantined && d.Error != nil && d.Error.Message != "" {
				apart++
			}
		}
		if apart == 0 {
			v.differ("%s: poison was not set apart anywhere", k)
		}
	}
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	a := r.Accounts
	line("seed %d: %d accepted events and %d outcomes of our own writes, %d API calls; load %.0f s, quiet after another %.0f s",
		r.Seed, a.Accepted, a.Outcomes, r.Calls, r.Load.Seconds(), r.Settled.Seconds())
	line("  effect %d, superseded %d, quarantined %d, passed over %d, held documents %d",
		a.Effect, a.Superseded, a.Quarantined, a.PassedOver, a.Held)
	line("  webhooks: %d taken, %d of them repeated, %d delayed, %d refused deliveries tried again",
		r.Webhooks.Taken, r.Webhooks.Repeated, r.Webhooks.Delayed, r.Webhooks.Retried)
	line("  %d faults:", r.FaultCount())
	for _, k := range slices.Sorted(maps.Keys(r.Faults)) {
		line("    %5d  %s", r.Faults[k], k)
	}
	printFindings(line, a.Lost, r.Twice, r.Differences, r.Problems)
	if !r.OK() {
		line("  timeline of the faults (run this seed again with -seed %d):", r.Seed)
		for _, t := range r.Timeline {
			line("    %s", t)
		}
	}
}

// printFindings writes what a run has found, the first twenty differences only.
func printFindings(line func(format string, args ...any), lost, twice int, differences, problems []string) {
	line("  lost %d, effects made twice %d, differences %d", lost, twice, len(differences))
	for i, d := range differences {
		if i == 20 {
			line("    … and %d more", len(differences)-i)
			break
		}
		line("    DIFFERENCE %s", d)
	}
	for _, p := range problems {
		line("    PROBLEM %s", p)
	}
}
