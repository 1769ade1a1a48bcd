package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spoke-sync/spoke/services/internal/crash"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	Kill       Kind = "kill -9 of a service"
	Crash      Kind = "crash at a named point"
	KillNATS   Kind = "kill -9 of the NATS server"
	CutNATS    Kind = "connection to NATS cut"
	SlowNATS   Kind = "connection to NATS slow"
	CutVendor  Kind = "connection to a vendor cut"
	SlowVendor Kind = "connection to a vendor slow"
	Lost       Kind = "call applied, answer lost"
	Throttled  Kind = "storm of 429"
	Failing    Kind = "burst of 5xx"
	Expired    Kind = "token expired"
	Poison     Kind = "poison event"
)

// shares are how many of 100 faults are of which kind. A crash at a point is
// armed by a kill, so that there are as many of both at most.
var shares = []struct {
	kind  Kind
	share int
}{
	{Crash, 20},
	{Kill, 8},
	{KillNATS, 3},
	{CutNATS, 8},
	{SlowNATS, 6},
	{CutVendor, 10},
	{SlowVendor, 6},
	{Lost, 16},
	{Throttled, 7},
	{Failing, 8},
	{Expired, 4},
	{Poison, 4},
}

// fault is one planned trouble.
type fault struct {
	at   int // before which event
	kind Kind
	a, b uint64 // choices
}

// plan spreads n faults over the events of a run, all but its end.
func plan(seed uint64, n, load int) []fault {
	rnd := rand.New(rand.NewPCG(seed, 2))
	all := make([]fault, n)
	for i := range all {
		f := fault{at: load / 50, a: rnd.Uint64(), b: rnd.Uint64()}
		f.at += i * (load - load/10) / max(n, 1)
		for at, s := rnd.IntN(100), 0; s < len(shares); s++ {
			if at -= shares[s].share; at < 0 {
				f.kind = shares[s].kind
				break
			}
		}
		all[i] = f
	}
	return all
}

// inject makes a fault happen. It returns once the trouble has begun; what it
// takes to be over goes on in the background.
func (r *run) inject(ctx context.Context, f fault) {
	switch f.kind {
	case Kill, Crash:
		r.killService(f)
	case KillNATS:
		r.background(func() { r.restartNATS(ctx, f) })
	case CutNATS, SlowNATS, CutVendor, SlowVendor:
		r.trouble(ctx, f)
	case Lost, Throttled, Failing, Expired:
		r.vendorFault(f)
	case Poison:
		if err := r.world.addPoison(ctx, int(f.a%1_000_000_007)); err != nil && ctx.Err() == nil {
			r.problem("poison: %v", err)
		}
		r.happened(f.kind, "upstream shop")
	}
}

// killService kills a replica, and lets its next life end at a point.
func (r *run) killService(f fault) {
	s := r.services[f.a%uint64(len(r.services))]
	if f.kind == Crash {
		points := crash.Points(s.service)
		s.arm(fmt.Sprintf("%s=%s:%d", crash.Env, points[f.b%uint64(len(points))], 1+f.b>>8%8))
	}
	s.armed.Store(f.kind == Crash)
	r.happened(Kill, s.name)
	s.kill() // its end starts it again
}

func (r *run) restartNATS(ctx context.Context, f fault) {
	r.natsLock.Lock()
	defer r.natsLock.Unlock()
	r.happened(KillNATS, "nats-server")
	r.nats.kill()
	pause(ctx, time.Duration(200+f.b%1500)*time.Millisecond)
	if err := r.startNATS(ctx); err != nil && ctx.Err() == nil {
		r.problem("nats-server does not start again: %v", err)
	}
}

// trouble cuts or slows a connection for a while.
func (r *run) trouble(ctx context.Context, f fault) {
	length := time.Duration(300+f.b%2700) * time.Millisecond
	var w *wire
	var name string
	if f.kind == CutNATS || f.kind == SlowNATS {
		s := r.services[f.a%uint64(len(r.services))]
		w, name = s.wire, s.name
	} else {
		name = vendors[f.a%uint64(len(vendors))]
		w = r.wires[name]
	}
	r.happened(f.kind, fmt.Sprintf("%s for %s", name, length))
	r.background(func() {
		var err error
		if f.kind == CutNATS || f.kind == CutVendor {
			err = w.cut(ctx, length)
		} else {
			err = w.slow(ctx, time.Duration(50+f.b%250)*time.Millisecond, length)
		}
		if err != nil && ctx.Err() == nil {
			r.problem("%s of %s: %v", f.kind, name, err)
		}
	})
}

// vendors in a fixed order.
var vendors = []string{"hubspot", "netsuite", "quickbooks", "stripe"}

func (r *run) vendorFault(f fault) {
	name := vendors[f.a%uint64(len(vendors))]
	injected := sandbox.Fault{Count: 1 + int(f.b%6)}
	switch f.kind { //nolint:exhaustive // only these come here
	case Lost:
		injected.Kind = sandbox.FaultLost
	case Throttled:
		injected.Kind, injected.Count, injected.RetryAfter = sandbox.FaultThrottle, 5+int(f.b%20), 1
	case Failing:
		injected.Kind, injected.Count, injected.Status = sandbox.FaultError, 3+int(f.b%12), []int{500, 502, 503}[f.b%3]
	case Expired:
		injected.Kind, injected.Count = sandbox.FaultExpire, 1
	}
	r.box(name).Inject(injected)
	r.happened(f.kind, fmt.Sprintf("%s, %d calls", name, injected.Count))
}

// box returns a vendor's fault switches and counts.
func (r *run) box(name string) box {
	b := r.world.boxes
	switch name {
	case "hubspot":
		return b.HubSpot
	case "netsuite":
		return b.NetSuite
	case "quickbooks":
		return b.QuickBooks
	default:
		return b.Stripe
	}
}

type box interface {
	Inject(sandbox.Fault)
	ClearFaults()
	Counts() sandbox.Counts
	LoseCreates(every int, effects ...string)
	LostCreates() map[string]int
	Happened(effect string) int
}
