package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Errors of a Store and a Turn.
var (
	// ErrMoved means that somebody has changed the checkpoint in between.
	ErrMoved = errors.New("checkpoint: changed by another")
	// ErrTaken means that another one has the turn.
	ErrTaken = errors.New("checkpoint: another replica has the turn")
	// ErrLost means that the turn is over: the lease ran out and another one
	// took it, or it is not known whether the last save was stored.
	ErrLost = errors.New("checkpoint: the turn is lost")
	// ErrWithdrawn means that what was being done is no longer wanted.
	ErrWithdrawn = errors.New("checkpoint: the request was withdrawn")
)

// Store is the checkpoints of one tenant.
type Store struct {
	kv     jetstream.KeyValue
	tenant string
	now    func() time.Time
}

// Open returns the store in the existing bucket.
func Open(ctx context.Context, js jetstream.JetStream, tenant string) (*Store, error) {
	kv, err := js.KeyValue(ctx, bus.BucketCheckpoints)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: bucket %s: %w", bus.BucketCheckpoints, err)
	}
	return &Store{kv: kv, tenant: tenant, now: func() time.Time { return time.Now().UTC() }}, nil
}

// Load returns a checkpoint and its revision; the zero State and 0 when there
// is none. It may be behind by a moment: save refuses what is built on that.
func (s *Store) Load(ctx context.Context, k Key) (State, uint64, error) {
	var st State
	rev, err := s.load(ctx, k.name(s.tenant), &st)
	return st, rev, err
}

func (s *Store) load(ctx context.Context, name string, v any) (uint64, error) {
	e, err := s.kv.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fault.New(fault.Transient, "checkpoint", "load %s: %w", name, err)
	}
	if err := json.Unmarshal(e.Value(), v); err != nil {
		return 0, fault.New(fault.Malformed, "checkpoint", "%s can't be read: %w", name, err).
			WithHint("remove the key " + name + " from the bucket " + bus.BucketCheckpoints + ": the feed is then read from the time of the next start, and a backfill reads the rest")
	}
	return e.Revision(), nil
}

// save stores what was built on a revision. ErrMoved means that there is
// another one; any other error leaves open whether it was stored.
func (s *Store) save(ctx context.Context, name string, v any, rev uint64) (uint64, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return 0, fault.New(fault.Internal, "checkpoint", "%w", err)
	}
	if rev == 0 {
		rev, err = s.kv.Create(ctx, name, b)
	} else {
		rev, err = s.kv.Update(ctx, name, b, rev)
	}
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return 0, ErrMoved
	case err != nil:
		return 0, fault.New(fault.Transient, "checkpoint", "save %s: %w", name, err)
	}
	return rev, nil
}

// editTries bounds how often an edit is repeated because the checkpoint moved;
// one that is being read moves with every page.
const editTries = 50

// edit changes a checkpoint, whoever has the turn. It stores nothing when
// change returns false.
func (s *Store) edit(ctx context.Context, k Key, change func(*State) bool) error {
	for range editTries {
		st, rev, err := s.Load(ctx, k)
		if err != nil {
			return err
		}
		if !change(&st) {
			return nil
		}
		if _, err = s.save(ctx, k.name(s.tenant), st, rev); !errors.Is(err, ErrMoved) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return fmt.Errorf("checkpoint of %s %s: %w: try again", k.Connection, k.Feed, ErrMoved)
}

// StartPolling notes from when on a feed is polled, unless that is known.
func (s *Store) StartPolling(ctx context.Context, connection, feed string, from time.Time) error {
	return s.edit(ctx, Key{connection, feed, Poll}, func(st *State) bool {
		if !st.Until.IsZero() {
			return false
		}
		st.Until = from
		return true
	})
}

// All returns every checkpoint of the tenant.
func (s *Store) All(ctx context.Context) (map[Key]State, error) {
	c, err := s.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	all := map[Key]State{}
	for _, conn := range c.Connections {
		for _, f := range conn.Feeds {
			for _, w := range []Work{Poll, Backfill} {
				k := Key{conn.Name, f.Name, w}
				st, rev, err := s.Load(ctx, k)
				if err != nil {
					return nil, err
				}
				if rev > 0 {
					all[k] = st
				}
			}
		}
	}
	return all, nil
}

// catalogName is the key of the catalog.
func (s *Store) catalogName() string { return events.Token(s.tenant) + ".catalog" }

// Catalog returns what the running Spoke last said there is to read.
func (s *Store) Catalog(ctx context.Context) (Catalog, error) {
	var c Catalog
	_, err := s.load(ctx, s.catalogName(), &c)
	return c, err
}

// Publish stores the catalog where the command line finds it.
func (s *Store) Publish(ctx context.Context, c Catalog) error {
	for range editTries {
		var known Catalog
		rev, err := s.load(ctx, s.catalogName(), &known)
		if err != nil && !fault.Is(err, fault.Malformed) {
			return err
		}
		if known.equal(c) && rev > 0 {
			return nil
		}
		if _, err := s.save(ctx, s.catalogName(), c, rev); !errors.Is(err, ErrMoved) {
			return err
		}
	}
	return fmt.Errorf("catalog: %w", ErrMoved)
}
