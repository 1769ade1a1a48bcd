package torture

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spoke-sync/spoke/services/internal/vault"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// Options of Run.
type Options struct {
	Seed uint64
	// Events is how many things happen in the portal, at the payments and at
	// the upstream; Faults how many troubles meanwhile.
	Events, Faults int
	// Rate is how many events there are a second; 0 is 100.
	Rate     int
	Programs Programs
	// Dir keeps everything: logs, the NATS store, the lake.
	Dir string
	// Quiet bounds the wait for everything to be done after the last event; 0
	// is five minutes, and an hour for a scenario.
	Quiet time.Duration
	// Say is told what goes on; nil is silent.
	Say func(format string, args ...any)
}

const (
	defaultRate = 100
	readyLimit  = time.Minute
)

// run is one run under way.
type run struct {
	Options
	setup
	world    *world
	relay    *relay
	mailbox  mailbox
	natsAddr string
	natsConf string
	nats     *process
	natsLock sync.Mutex
	services []*replica
	wires    map[string]*wire // to vendors
	config   string
	key      string // of the vault
	began    time.Time

	wg       sync.WaitGroup
	mu       sync.Mutex
	faults   map[Kind]int
	timeline []string
	problems []string
}

// replica is one process of a service, with a connection to NATS of its own.
type replica struct {
	*process
	service string
	health  string
	wire    *wire
	armed   atomic.Bool
}

// Run runs the load under faults, waits for quiet, and compares. The report
// says what was found; an error means that the run itself did not work.
func Run(ctx context.Context, o Options) (*Report, error) {
	ctx, stop := context.WithCancel(ctx)
	r := newRun(o, mixed())
	defer r.close()
	defer stop()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	r.Say("seed %d: %d replicas of %d services, %d events, %d faults", o.Seed, r.replicas, len(Services()), o.Events, o.Faults)
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	r.wg.Wait() // every trouble is over
	for _, v := range vendors {
		r.box(v).ClearFaults()
	}
	quiet := time.Now()
	err := r.settle(ctx)
	rep := r.report(ctx, time.Since(quiet))
	if err != nil {
		rep.Problems = append([]string{err.Error()}, rep.Problems...)
	}
	return rep, nil
}

func newRun(o Options, s setup) *run {
	if o.Rate == 0 {
		o.Rate = defaultRate
	}
	if o.Quiet == 0 {
		o.Quiet = s.quiet
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	return &run{Options: o, setup: s, faults: map[Kind]int{}, wires: map[string]*wire{}, began: time.Now()}
}

// start brings everything up: vendors, the relay, NATS, and the services.
func (r *run) start(ctx context.Context) error {
	var err error
	if r.held {
		r.setup.relay.hold = r.mailbox.hold
	}
	if r.relay, err = newRelay(r.Seed, r.setup.relay); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	boxes, err := demo.Open(demo.SandboxOptions{Ingest: r.relay.url, Unlimited: true, Log: quiet})
	if err != nil {
		return err
	}
	if r.world, err = newWorld(boxes, r.Seed, r.companies); err != nil {
		return err
	}
	for _, v := range vendors {
		if !r.wired {
			break
		}
		w, err := newWire(v, strings.TrimPrefix(boxes.URLs[v], "http://"))
		if err != nil {
			return err
		}
		r.wires[v] = w
		boxes.URLs[v] = "http://" + w.address()
	}
	if err := r.prepareNATS(ctx); err != nil {
		return err
	}
	if err := r.writeConfig(boxes); err != nil {
		return err
	}
	return r.startServices(ctx)
}

func (r *run) prepareNATS(ctx context.Context) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	monitor, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	r.natsAddr, r.natsConf = address, filepath.Join(r.Dir, "nats.conf")
	conf := fmt.Sprintf("listen: %s\nhttp: %s\njetstream {\n  store_dir: %q\n  sync_interval: always\n}\n", address, monitor, filepath.Join(r.Dir, "nats"))
	if err := os.WriteFile(r.natsConf, []byte(conf), 0o600); err != nil {
		return err
	}
	r.nats = &process{name: "nats-server", path: r.Programs.NATS, args: []string{"-c", r.natsConf}, log: filepath.Join(r.Dir, "nats.log")}
	if err := r.startNATS(ctx); err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	return until(ready, 20*time.Millisecond, func() bool {
		return answers(ready, "http://"+monitor+"/healthz?js-enabled-only=true")
	})
}

func (r *run) startNATS(ctx context.Context) error { return r.nats.start(ctx) }

func (r *run) startServices(ctx context.Context) error {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	r.key = base64.StdEncoding.EncodeToString(key)
	for _, name := range Services() {
		for i := range r.replicas {
			s, err := r.newReplica(ctx, name, i)
			if err != nil {
				return err
			}
			r.services = append(r.services, s)
			if name == "ingest" {
				r.relay.targets = append(r.relay.targets, "http://"+s.health)
			}
		}
	}
	r.world.ingest = r.relay.targets
	for _, s := range r.services {
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	ready, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for _, s := range r.services {
		if err := until(ready, 20*time.Millisecond, func() bool { return answers(ready, "http://"+s.health+"/readyz") }); err != nil {
			return fmt.Errorf("torture: %s does not become ready; see %s: %w", s.name, s.log, err)
		}
	}
	return nil
}

func (r *run) newReplica(ctx context.Context, service string, i int) (*replica, error) {
	name := fmt.Sprintf("%s-%d", service, i)
	nats := r.natsAddr
	var w *wire
	if r.wired {
		var err error
		if w, err = newWire(name, nats); err != nil {
			return nil, err
		}
		nats = w.address()
	}
	health, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &replica{service: service, health: health, wire: w, process: &process{
		name: name, path: r.Programs.service(service), args: []string{"-c", r.config}, log: filepath.Join(r.Dir, name+".log"),
		env: []string{"SPOKE_NATS_URL=nats://" + nats, vault.EnvKey + "=" + r.key},
	}}
	if service == "ingest" {
		s.env = append(s.env, "SPOKE_LISTEN="+health)
	} else {
		s.env = append(s.env, "SPOKE_METRICS_LISTEN="+health)
	}
	s.onEnd = func(killed bool) { r.ended(ctx, s, killed) }
	return s, nil
}

// ended starts a replica again, as whoever runs it in production would. A
// replica that ended by itself, and not at a point, is a problem.
func (r *run) ended(ctx context.Context, s *replica, killed bool) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	again, closed := s.next != nil, s.closed
	s.mu.Unlock()
	if closed {
		return
	}
	switch {
	case again: // it was killed to be armed
	case killed && s.armed.Swap(false):
		r.happened(Crash, s.name)
	case !killed:
		r.problem("%s ended by itself; see %s", s.name, s.log)
	}
	pause(ctx, restartAfter)
	if err := s.start(ctx); err != nil && ctx.Err() == nil {
		r.problem("%v", err)
	}
}

const restartAfter = 300 * time.Millisecond

// load makes the events happen, each fault in its place.
func (r *run) load(ctx context.Context) error {
	faults := plan(r.Seed, r.Faults, r.Events)
	tick := time.NewTicker(time.Second / time.Duration(r.Rate))
	defer tick.Stop()
	for n := range r.Events {
		for len(faults) > 0 && faults[0].at <= n {
			r.inject(ctx, faults[0])
			faults = faults[1:]
		}
		if err := r.world.step(ctx, n); err != nil {
			return fmt.Errorf("torture: event %d: %w", n, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if n > 0 && n%2000 == 0 {
			r.Say("  %d events, %d faults", n, r.count())
		}
	}
	return nil
}

func (r *run) background(do func()) {
	r.wg.Add(1)
	go func() { defer r.wg.Done(); do() }()
}

func (r *run) happened(k Kind, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[k]++
	r.timeline = append(r.timeline, fmt.Sprintf("%8.3f s  %s: %s", time.Since(r.began).Seconds(), k, what))
}

func (r *run) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *run) count() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.faults {
		n += k
	}
	return n
}

// close ends everything that the run started.
func (r *run) close() {
	var wg sync.WaitGroup
	for _, s := range r.services {
		wg.Add(1)
		go func() { defer wg.Done(); s.close() }()
	}
	wg.Wait()
	for _, s := range r.services {
		if s.wire != nil {
			s.wire.close()
		}
	}
	if r.nats != nil {
		r.nats.close()
	}
	for _, w := range r.wires {
		w.close()
	}
	if r.world != nil {
		r.world.boxes.Close()
	}
	if r.relay != nil {
		r.relay.close()
	}
	if r.world != nil {
		r.world.client.CloseIdleConnections()
	}
}
