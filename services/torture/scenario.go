package torture

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A scenario is a run of its own with one kind of trouble, and many of it.
type scenario struct {
	setup setup
	// play makes everything happen, waits for it, and compares.
	play func(ctx context.Context, r *run, a *Account) error
}

func scenarios() map[string]scenario {
	return map[string]scenario{
		ScenarioAnswers:  answersScenario(),
		ScenarioWebhooks: webhooksScenario(),
		ScenarioPoison:   poisonScenario(),
	}
}

// The scenarios.
const (
	// ScenarioAnswers loses the answer of every create at every vendor.
	ScenarioAnswers = "answers"
	// ScenarioWebhooks delivers webhooks repeatedly and in random order.
	ScenarioWebhooks = "webhooks"
	// ScenarioPoison mixes in events that vendors refuse, then mends the causes.
	ScenarioPoison = "poison"
)

// ScenarioEvents is how many events a scenario has unless its caller says
// otherwise; 0 for a name that is none.
func ScenarioEvents(name string) int {
	return map[string]int{ScenarioAnswers: 10_000, ScenarioWebhooks: 100_000, ScenarioPoison: 20_000}[name]
}

// Scenarios are the names of all scenarios, in order.
func Scenarios() []string { return slices.Sorted(maps.Keys(scenarios())) }

// Account is what a scenario came to.
type Account struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Lines say what was counted.
	Lines []string `json:"lines"`
	// Lost are events that nothing knows of, Twice effects made more than once.
	Lost  int `json:"lost"`
	Twice int `json:"twice"`
	// Differences between what a system holds and what it should hold.
	Differences []string `json:"differences,omitempty"`
	// Problems of the run: not quiet in time, a process that ended by itself.
	Problems []string      `json:"problems,omitempty"`
	Took     time.Duration `json:"took"`
}

// OK reports whether nothing was lost, doubled or different.
func (a *Account) OK() bool {
	return a.Lost == 0 && a.Twice == 0 && len(a.Differences) == 0 && len(a.Problems) == 0
}

func (a *Account) say(format string, args ...any) {
	a.Lines = append(a.Lines, fmt.Sprintf(format, args...))
}

// Print writes the account for people.
func (a *Account) Print(w io.Writer) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	line("scenario %s, seed %d: %.0f s", a.Scenario, a.Seed, a.Took.Seconds())
	for _, l := range a.Lines {
		line("  %s", l)
	}
	printFindings(line, a.Lost, a.Twice, a.Differences, a.Problems)
}

// RunScenario plays a scenario, waits for quiet, and compares. Options.Faults
// and Options.Rate are not looked at. The account says what was found; an error
// means that the run itself did not work.
func RunScenario(ctx context.Context, name string, o Options) (*Account, error) {
	s, ok := scenarios()[name]
	if !ok {
		return nil, fmt.Errorf("torture: there is no scenario %q: one of %s", name, strings.Join(Scenarios(), ", "))
	}
	if o.Events == 0 {
		o.Events = ScenarioEvents(name)
	}
	ctx, stop := context.WithCancel(ctx)
	r := newRun(o, s.setup)
	defer r.close()
	defer stop()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	a := &Account{Scenario: name, Seed: o.Seed}
	r.Say("scenario %s, seed %d: %d events", name, o.Seed, o.Events)
	if err := s.play(ctx, r, a); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a.Problems = append(a.Problems, r.problems...)
	a.Took = time.Since(r.began)
	return a, nil
}

// posters is how many events are posted at once: ingest stores what comes
// together in one batch.
const posters = 32

// postAll posts n events, some at once.
func postAll(ctx context.Context, n int, post func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(posters)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return post(ctx, i) })
	}
	return g.Wait()
}

// tellEvery is how often a scenario says how far it is.
const tellEvery = 30 * time.Second

// telling says how far it is now and then, until the returned function is
// called.
func (r *run) telling(progress func() string) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			select {
			case <-time.After(tellEvery):
				r.Say("  %4.0f s  %s", time.Since(r.began).Seconds(), progress())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); wg.Wait() }
}

// finish waits for quiet and looks up what became of every event.
func (r *run) finish(ctx context.Context, v *verdict, a *Account) error {
	if err := r.settle(ctx); err != nil {
		a.Problems = append(a.Problems, err.Error())
	}
	b, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	accounts, err := v.account(ctx, b)
	if err != nil {
		return err
	}
	a.say("events: %d accepted, %d outcomes of our own writes; effect %d, superseded %d, passed over %d, quarantined %d, held %d",
		accounts.Accepted, accounts.Outcomes, accounts.Effect, accounts.Superseded, accounts.PassedOver, accounts.Quarantined, accounts.Held)
	a.Lost, a.Twice, a.Differences = accounts.Lost, v.twice(), v.differences
	return nil
}
