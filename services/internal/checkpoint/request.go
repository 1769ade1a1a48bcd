package checkpoint

import (
	"context"
	"time"

	"github.com/nats-io/nuid"
)

// Reply says what became of a request for one feed.
type Reply string

// The replies.
const (
	Started  Reply = "started"  // it begins at once, or after those before it
	Joined   Reply = "joined"   // one that reads the same is wanted already
	Extended Reply = "extended" // one that had not begun yet reads this too
	Queued   Reply = "queued"   // it follows one that is under way and reads less
)

// Request asks for a backfill of what a plan says (see Connection.Plan), and
// returns a reply for each of its feeds. It is safe to repeat.
func (s *Store) Request(ctx context.Context, connection string, plan []Feed, since time.Time) ([]Reply, error) {
	replies := make([]Reply, len(plan))
	for i, f := range plan {
		want := Request{ID: nuid.Next(), At: s.now(), Since: since.UTC(), Entities: f.Entities}
		err := s.edit(ctx, Key{connection, f.Name, Backfill}, func(st *State) bool {
			replies[i] = st.ask(want)
			return replies[i] != Joined
		})
		if err != nil {
			return nil, err
		}
	}
	return replies, nil
}

func (s *State) ask(want Request) Reply {
	switch {
	case s.Request == nil:
		s.Request, s.Failure = &want, nil
		return Started
	case s.Request.covers(want), s.Next != nil && s.Next.covers(want):
		return Joined
	case s.Pass == nil:
		both := s.Request.with(want)
		both.ID = want.ID // so that whoever is about to begin the old one sees it
		s.Request = &both
		return Extended
	case s.Next != nil:
		both := s.Next.with(want)
		s.Next = &both
	default:
		s.Next = &want
	}
	return Queued
}

// Cancel withdraws every backfill of a connection and returns the feeds that
// had one.
func (s *Store) Cancel(ctx context.Context, c Connection) ([]string, error) {
	var ended []string
	for _, f := range c.Feeds {
		was := false
		err := s.edit(ctx, Key{c.Name, f.Name, Backfill}, func(st *State) bool {
			was = st.cancel(s.now())
			return was
		})
		if err != nil {
			return ended, err
		}
		if was {
			ended = append(ended, f.Name)
		}
	}
	return ended, nil
}
