package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// reader is a vendor that answers as it is told, and counts.
type reader struct {
	read func(ctx context.Context, object string, ids []string) ([]events.Change, error)
	size int

	mu    sync.Mutex
	calls [][]string // object, then ids
}

func (f *reader) BatchSize() int { return max(f.size, 100) }

func (f *reader) Read(ctx context.Context, object string, ids []string) ([]events.Change, error) {
	f.mu.Lock()
	f.calls = append(f.calls, append([]string{object}, slices.Sorted(slices.Values(ids))...))
	f.mu.Unlock()
	return f.read(ctx, object, ids)
}

func (f *reader) count() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.calls) }

// asked returns how often each object was asked for.
func (f *reader) asked() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[string]int{}
	for _, c := range f.calls {
		for _, id := range c[1:] {
			n[c[0]+"/"+id]++
		}
	}
	return n
}

// objects answers with the objects it has, and with a deletion for others.
func objects(have map[string]events.Fields) func(context.Context, string, []string) ([]events.Change, error) {
	return func(_ context.Context, object string, ids []string) ([]events.Change, error) {
		var out []events.Change
		for _, id := range ids {
			c := change(crm, object, events.Entity(object), id, 3, nil)
			c.Snapshot = true
			fields, ok := have[object+"/"+id]
			if c.Fields = fields; !ok {
				c.Op = events.OpDeleted
			}
			out = append(out, c)
		}
		return out, nil
	}
}

// announce publishes a notification without content.
func (r *rig) announce(event, object, id string) {
	r.t.Helper()
	c := change(crm, object, events.Entity(object), id, 2, nil)
	c.Signal = true
	r.say(event, c)
}

func reading(f *reader) map[string]connector.Reader { return map[string]connector.Reader{crm: f} }

// TestABurstIsOneRead: many notifications about one object are one read of
// it, and objects of one type share calls.
func TestABurstIsOneRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	have := map[string]events.Fields{}
	for i := range 150 {
		id := fmt.Sprint(i)
		have["company/"+id] = named("n" + id)
		r.announce("a"+id, "company", id)
	}
	for i := range 50 {
		r.announce(fmt.Sprint("b", i), "company", "7")
	}
	f := &reader{read: objects(have)}
	w := r.worker(reading(f))
	w.Quiet, w.MaxWait = 2*time.Second, time.Minute // a busy machine pulls them in several moments
	r.run(w)
	r.idle()
	require.Equal(t, 2, f.count(), "150 objects fit into two calls of 100")
	for id, n := range f.asked() {
		require.Equal(t, 1, n, id)
	}
	for i := range 150 {
		require.Equal(t, fmt.Sprint("n", i), r.text(theCompany(fmt.Sprint(i)), "name"))
	}
}

// TestOneBadObjectDoesNotKeepTheOthers from being read.
func TestOneBadObjectDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Rejected, fault.Malformed, fault.Internal} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ok := objects(map[string]events.Fields{"company/1": named("a"), "company/2": named("b")})
			f := &reader{read: func(ctx context.Context, object string, ids []string) ([]events.Change, error) {
				if slices.Contains(ids, "bad") {
					return nil, fault.New(kind, "crm: read", "told to fail")
				}
				return ok(ctx, object, ids)
			}}
			for _, id := range []string{"1", "bad", "2"} {
				r.announce("s"+id, "company", id)
			}
			r.run(r.worker(reading(f)))
			r.idle()
			require.Equal(t, "a", r.text(theCompany("1"), "name"))
			require.Equal(t, "b", r.text(theCompany("2"), "name"))
			q := r.quarantined()
			require.Len(t, q, 1)
			require.Equal(t, kind.String(), q[0].Problem.Kind)
		})
	}
}

// TestAReadIsTriedAgain until the vendor answers; nothing is set apart for it.
func TestAReadIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Transient, fault.Throttled, fault.Unavailable, fault.Unauthorized, fault.Ambiguous} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ok := objects(map[string]events.Fields{"company/1": named("a")})
			var once sync.Once
			f := &reader{read: func(ctx context.Context, object string, ids []string) (_ []events.Change, err error) {
				once.Do(func() { err = fault.New(kind, "crm: read", "told to fail") })
				if err != nil {
					return nil, err
				}
				return ok(ctx, object, ids)
			}}
			r.announce("s1", "company", "1")
			r.run(r.worker(reading(f)))
			r.idle()
			require.Equal(t, "a", r.text(theCompany("1"), "name"))
			require.Equal(t, 2, f.count())
			require.Empty(t, r.quarantined())
		})
	}
}

// TestAPanicOfAReaderIsItsOwn and ends no process.
func TestAPanicOfAReaderIsItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := &reader{read: func(context.Context, string, []string) ([]events.Change, error) { panic("a bug") }}
	r.announce("s1", "company", "1")
	r.say("e2", change(crm, "company", events.EntityCompany, "2", 1, named("b")))
	r.run(r.worker(reading(f)))
	r.idle()
	require.Equal(t, "b", r.text(theCompany("2"), "name"))
	require.Len(t, r.quarantined(), 1)
}

// TestADeletedObjectIsReadAsGone.
func TestADeletedObjectIsReadAsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.say("e1", change(crm, "company", events.EntityCompany, "1", 1, named("a")))
	r.announce("s1", "company", "1")
	r.run(r.worker(reading(&reader{read: objects(nil)})))
	r.idle()
	require.NotNil(t, r.record(theCompany("1")).Deleted)
}

// TestWhatIsAnnouncedDuringAReadIsReadAgain: the answer under way may be from
// before the change.
func TestWhatIsAnnouncedDuringAReadIsReadAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	name := "old"
	f := &reader{}
	f.read = func(ctx context.Context, object string, ids []string) ([]events.Change, error) {
		now := name
		once.Do(func() { close(began); <-goOn })
		changes, err := objects(map[string]events.Fields{"company/1": named(now)})(ctx, object, ids)
		for i := range changes {
			if now == "new" {
				changes[i].At = changes[i].At.Add(time.Minute)
			}
		}
		return changes, err
	}
	r.run(r.worker(reading(f)))
	r.announce("s1", "company", "1")
	<-began
	name = "new"
	r.announce("s2", "company", "1")
	p := r.puller()
	r.eventually(func() bool { _, unacked, err := p.Pending(t.Context()); return err == nil && unacked == 2 }, "not taken")
	close(goOn)
	r.idle()
	require.Equal(t, "new", r.text(theCompany("1"), "name"))
	require.Equal(t, 2, f.count())
}

func link(field, object, id string, more ...string) events.Fields {
	f := named("x" + id)
	f.Set(field, events.Link{Connection: crm, Object: object, ID: id})
	for i := 0; i+2 < len(more); i += 3 {
		f.Set(more[i], events.Link{Connection: crm, Object: more[i+1], ID: more[i+2]})
	}
	return f
}

// TestLinkedObjectsComeAlong: a deal never arrives without its company and
// contact, nor the contact without its own company.
func TestLinkedObjectsComeAlong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := &reader{read: objects(map[string]events.Fields{
		"deal/77":   link("company", "company", "9", "contact", "contact", "5"),
		"contact/5": link("company", "company", "8"), "company/9": named("nine"), "company/8": named("eight"),
	})}
	r.run(r.worker(reading(f)))
	r.announce("s1", "deal", "77")
	r.idle()
	require.Equal(t, "x9", r.text(theDeal, "name"))
	require.Equal(t, "nine", r.text(theCompany("9"), "name"))
	require.Equal(t, "eight", r.text(theCompany("8"), "name"))
	require.NotZero(t, r.record(key(events.EntityContact, "5")).Version)
	for id, n := range f.asked() {
		require.Equal(t, 1, n, id)
	}
	// What is known is not read again.
	calls := f.count()
	r.say("e2", change(crm, "deal", events.EntityDeal, "78", 4, link("company", "company", "9")))
	r.idle()
	require.Equal(t, calls, f.count())
}

// TestALinkThatCantBeReadKeepsNothing: the deal arrives although the vendor
// refuses to tell of its contact. Sinks hold what lacks a dependency.
func TestALinkThatCantBeReadKeepsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ok := objects(map[string]events.Fields{
		"deal/77": link("company", "company", "9", "contact", "contact", "5"), "company/9": named("nine"), "contact/6": named("six"),
		"deal/78": link("contact", "contact", "6"),
	})
	f := &reader{read: func(ctx context.Context, object string, ids []string) ([]events.Change, error) {
		if object == "contact" && slices.Contains(ids, "5") {
			return nil, fault.New(fault.Rejected, "crm: read contact", "told to fail")
		}
		return ok(ctx, object, ids)
	}}
	r.announce("s1", "deal", "77")
	r.announce("s2", "deal", "78")
	r.run(r.worker(reading(f)))
	r.idle()
	require.Equal(t, "x9", r.text(theDeal, "name"))
	require.Equal(t, "nine", r.text(theCompany("9"), "name"))
	require.Equal(t, "x6", r.text(key(events.EntityDeal, "78"), "name"))
	require.NotZero(t, r.record(key(events.EntityContact, "6")).Version, "one refused object keeps no other")
}

// TestEveryReadHasADeadline, since a vendor may send the start of an answer
// and then nothing more.
func TestEveryReadHasADeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ok := objects(map[string]events.Fields{"deal/77": link("company", "company", "9"), "company/9": named("nine")})
	var mu sync.Mutex
	bounded := map[string]bool{}
	f := &reader{read: func(ctx context.Context, object string, ids []string) ([]events.Change, error) {
		_, has := ctx.Deadline()
		mu.Lock()
		bounded[object] = has
		mu.Unlock()
		return ok(ctx, object, ids)
	}}
	r.run(r.worker(reading(f)))
	r.announce("s1", "deal", "77")
	r.idle()
	require.Equal(t, map[string]bool{"deal": true, "company": true}, bounded)
}

// TestAStoppingWorkerGivesBack what it holds, so that another replica need not
// wait for the ack time, which is a minute.
func TestAStoppingWorkerGivesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	failing := &reader{read: func(context.Context, string, []string) ([]events.Change, error) {
		return nil, fault.New(fault.Unavailable, "crm: read", "told to fail")
	}}
	stop := r.run(r.worker(reading(failing)))
	r.announce("s1", "company", "1")
	r.announce("s2", "company", "2")
	r.eventually(func() bool { return failing.count() > 0 }, "never read")
	stop()
	r.run(r.worker(reading(&reader{read: objects(map[string]events.Fields{"company/1": named("a"), "company/2": named("b")})})))
	r.idle()
	require.Equal(t, "a", r.text(theCompany("1"), "name"))
	require.Equal(t, "b", r.text(theCompany("2"), "name"))
}

// TestAReadFailsAfterALaterOneIsDone: an object that is announced again while it
// is read is read again at the same time; the first read then fails when nobody
// waits for it any more, or while the second one is still under way.
func TestAReadFailsAfterALaterOneIsDone(t *testing.T) {
	t.Parallel()
	for _, second := range []bool{true, false} {
		t.Run(fmt.Sprint("second is done: ", second), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first, later := make(chan struct{}), make(chan struct{})
			var calls atomic.Int32
			answer := objects(map[string]events.Fields{"company/1": named("a")})
			f := &reader{read: func(ctx context.Context, object string, ids []string) ([]events.Change, error) {
				switch calls.Add(1) {
				case 1:
					<-first
					return nil, fault.New(fault.Throttled, "crm: read", "not now").After(time.Millisecond)
				case 2:
					<-later
				}
				return answer(ctx, object, ids)
			}}
			r.run(r.worker(reading(f)))
			r.announce("s1", "company", "1")
			r.eventually(func() bool { return f.count() == 1 }, "not read")
			r.announce("s2", "company", "1")
			r.eventually(func() bool { return f.count() == 2 }, "not read again")
			if second {
				close(later)
				r.eventually(func() bool { return r.record(theCompany("1")).Version == 1 }, "not merged")
				close(first)
			} else {
				close(first)
				r.eventually(func() bool { return f.count() == 3 }, "what failed is not read once more")
				close(later)
			}
			r.idle()
			require.Equal(t, "a", r.text(theCompany("1"), "name"))
			require.Equal(t, 3, f.count())
		})
	}
}
