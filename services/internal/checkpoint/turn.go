package checkpoint

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Turn is the right to read a feed and to move its checkpoint. It lasts for a
// lease, which Keep renews.
type Turn struct {
	store *Store
	key   Key
	owner string
	lease time.Duration

	mu    sync.Mutex
	state State
	rev   uint64
	lost  error
}

// Take takes the turn at a checkpoint for a lease. ErrTaken means that another
// owner has it. What an owner of the same name had is taken over at once.
func (s *Store) Take(ctx context.Context, k Key, owner string, lease time.Duration) (*Turn, error) {
	st, rev, err := s.Load(ctx, k)
	if err != nil {
		return nil, err
	}
	if st.Owner != "" && st.Owner != owner && st.Lease.After(s.now()) {
		return nil, ErrTaken
	}
	t := &Turn{store: s, key: k, owner: owner, lease: lease, state: st, rev: rev}
	err = t.Save(ctx, func(*State) {})
	if errors.Is(err, ErrLost) || errors.Is(err, ErrWithdrawn) {
		return nil, ErrTaken
	}
	return t, err
}

// State returns the checkpoint as it was last stored.
func (t *Turn) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

// Save changes the checkpoint. An error means that it may not be built upon:
// the turn is over.
func (t *Turn) Save(ctx context.Context, change func(*State)) error {
	return t.save(ctx, func(st *State) {
		change(st)
		st.Owner, st.Lease = t.owner, t.store.now().Add(t.lease)
	})
}

// End changes the checkpoint and gives the turn back.
func (t *Turn) End(ctx context.Context, change func(*State)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.saveLocked(ctx, func(st *State) {
		change(st)
		st.Owner, st.Lease = "", time.Time{}
	})
	t.lost = ErrLost // whatever is saved from now on
	return err
}

// saveTries bounds how often a change is put on top of a request that came in
// between.
const saveTries = 5

func (t *Turn) save(ctx context.Context, change func(*State)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.saveLocked(ctx, change)
}

func (t *Turn) saveLocked(ctx context.Context, change func(*State)) error {
	if t.lost != nil {
		return t.lost
	}
	for range saveTries {
		next := t.state
		change(&next)
		rev, err := t.store.save(ctx, t.key.name(t.store.tenant), next, t.rev)
		if err == nil {
			t.state, t.rev = next, rev
			return nil
		}
		if !errors.Is(err, ErrMoved) {
			t.lost = errors.Join(ErrLost, err)
			return t.lost
		}
		if err := t.adopt(ctx); err != nil {
			t.lost = err
			return err
		}
	}
	t.lost = ErrLost
	return t.lost
}

// adopt goes on from a checkpoint that somebody without a turn has changed:
// the command line, which asks for more or withdraws. When another one has
// taken the turn, it is lost.
func (t *Turn) adopt(ctx context.Context) error {
	st, rev, err := t.store.Load(ctx, t.key)
	switch {
	case err != nil:
		return errors.Join(ErrLost, err)
	case rev == t.rev: // an old copy
		return errors.Join(ErrLost, fault.New(fault.Transient, "checkpoint", "%w", ErrMoved))
	case st.Owner != t.state.Owner || !st.Lease.Equal(t.state.Lease):
		return ErrLost
	case st.requestID() != t.state.requestID():
		return ErrWithdrawn
	}
	t.state, t.rev = st, rev
	return nil
}

// renew is not cut off: it would not be known whether it was stored.
func (t *Turn) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.lease)
	defer cancel()
	return t.Save(ctx, func(*State) {})
}

// Keep renews the lease until ctx ends, and calls over when the turn is lost.
func (t *Turn) Keep(ctx context.Context, over func(error)) {
	tick := time.NewTicker(t.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := t.renew(ctx); err != nil {
			over(err)
			return
		}
	}
}
