package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Limits say when a Loader commits: whichever comes first. A small age means
// fresh rows and many small files.
type Limits struct {
	Rows  int           // rows that wait
	Bytes int           // bytes of the messages that wait; bounds memory
	Age   time.Duration // since the first of them came
}

// DefaultLimits suit production. A demo sets Age to a second.
func DefaultLimits() Limits {
	return Limits{Rows: 50_000, Bytes: 64 << 20, Age: 30 * time.Second}
}

// Validate reports every limit that can't work.
func (l Limits) Validate() error {
	var errs []error
	if l.Rows < 1 {
		errs = append(errs, fmt.Errorf("rows: %d: want at least 1", l.Rows))
	}
	if l.Bytes < 1 {
		errs = append(errs, fmt.Errorf("bytes: %d: want at least 1", l.Bytes))
	}
	if l.Age <= 0 {
		errs = append(errs, fmt.Errorf("age: %s: want more than 0", l.Age))
	}
	return errors.Join(errs...)
}

// Loader fills a Store from WAREHOUSE. A Store has one Loader; the lock of a
// lake sees to that.
type Loader struct {
	Source Log
	// Open opens the Store for the messages of a stream; see Lake.
	Open    func(row.Stream) (Store, error)
	Limits  Limits
	Refuser Refuser
	Log     *slog.Logger
	// Committed, if set, is told of every commit, for metrics.
	Committed func(lake.Commit)
}

// fetchLoad is how many messages one Fetch brings at most.
const fetchLoad = 1000

// Run loads until ctx ends, commits what waits, and returns nil. After a
// failure it gives the store up and starts over from the last commit, as after
// a crash: there is one way back, and it is the tested one. A lake that
// another process holds is an error at once.
func (l Loader) Run(ctx context.Context) error {
	var b backoff
	for ctx.Err() == nil {
		err := l.session(ctx, &b)
		if err == nil {
			return nil
		}
		if errors.Is(err, lake.ErrLocked) {
			return err
		}
		l.Log.Warn("warehouse: loading stopped, starting over from the last commit", "error", err)
		b.sleep(ctx)
	}
	return nil
}

// session loads from the last commit until ctx ends or something fails.
func (l Loader) session(ctx context.Context, b *backoff) (err error) {
	stream, err := l.Source.Stream(ctx)
	if err != nil {
		return fmt.Errorf("warehouse: stream: %w", err)
	}
	store, err := l.Open(stream)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := l.Source.Seek(ctx, store.Position()); err != nil {
		return fmt.Errorf("warehouse: seek to %d: %w", store.Position(), err)
	}
	w := load{Loader: l, stream: stream, store: store}
	for ctx.Err() == nil {
		if err := w.step(ctx); err != nil {
			return err
		}
		b.reset()
	}
	// The process is stopping: what waits is committed and acked still, or
	// the next start would read it again.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return w.commit(last)
}

// stopTimeout bounds the last acks of a process that is asked to stop.
const stopTimeout = 5 * time.Second

// load is one session.
type load struct {
	Loader
	stream row.Stream
	store  Store
	acks   []func(context.Context) error
	bytes  int
	due    time.Time // when the oldest waiting row must be committed
}

// step fetches once and commits when a limit is reached.
func (w *load) step(ctx context.Context) error {
	batch, err := w.Source.Fetch(ctx, fetchLoad, w.patience())
	if err != nil {
		return fmt.Errorf("warehouse: fetch: %w", err)
	}
	entries := make([]lake.Entry, 0, len(batch.Messages))
	_, last := w.store.Pending()
	for _, m := range batch.Messages {
		if !m.Stream.Equal(w.stream) {
			return fmt.Errorf("warehouse: stream %s is now %s", w.stream.ID(), m.Stream.ID())
		}
		if m.Seq <= last {
			continue
		}
		if err := w.follows(ctx, last, m.Seq); err != nil {
			return err
		}
		e, err := w.entry(ctx, m)
		if err != nil {
			return err
		}
		entries = append(entries, e)
		last = m.Seq
		w.bytes += len(m.Data)
	}
	if err := w.store.Append(entries...); err != nil {
		return err
	}
	if batch.Ack != nil && len(batch.Messages) > 0 {
		w.acks = append(w.acks, batch.Ack)
	}
	if w.full() {
		return w.commit(ctx)
	}
	return nil
}

// patience is how long to wait for messages: not beyond the next commit.
func (w *load) patience() time.Duration {
	if w.due.IsZero() {
		return idle
	}
	return max(0, min(idle, time.Until(w.due)))
}

// follows refuses a gap that is not in the stream itself. After a restart or
// a lost connection a durable delivers what it gave away before only later:
// committing past that would drop those rows for good.
func (w *load) follows(ctx context.Context, last, seq uint64) error {
	if seq == last+1 {
		return nil
	}
	next, found, err := w.Source.After(ctx, last)
	if err != nil {
		return fmt.Errorf("warehouse: look for what follows %d: %w", last, err)
	}
	if !found || next < seq {
		return fmt.Errorf("warehouse: sequence %d came after %d, out of order", seq, last)
	}
	return nil
}

func (w *load) entry(ctx context.Context, m Message) (lake.Entry, error) {
	r, err := row.Parse(m.Data)
	if err == nil {
		return lake.Entry{Seq: m.Seq, Row: &r}, nil
	}
	if err := w.Refuser.Refuse(ctx, m, err); err != nil {
		return lake.Entry{}, fmt.Errorf("warehouse: refuse message %s: %w", m.Origin, err)
	}
	return lake.Entry{Seq: m.Seq}, nil
}

// full reports whether to commit now, and starts the clock of the oldest row.
func (w *load) full() bool {
	rows, last := w.store.Pending()
	if last == w.store.Position() {
		return len(w.acks) > 0 // nothing new: only acks are owed
	}
	if w.due.IsZero() {
		w.due = time.Now().Add(w.Limits.Age)
	}
	return rows >= w.Limits.Rows || w.bytes >= w.Limits.Bytes || !time.Now().Before(w.due)
}

// commit makes the rows durable and acks their messages after that.
func (w *load) commit(ctx context.Context) error {
	c, err := w.store.Commit()
	if err != nil {
		return err
	}
	if c.Last > 0 {
		w.Log.Debug("warehouse: committed", "last", c.Last, "rows", c.Rows, "files", len(c.Files))
		if w.Committed != nil {
			w.Committed(c)
		}
	}
	for _, ack := range w.acks {
		if err := ack(ctx); err != nil {
			w.Log.Warn("warehouse: ack is lost, the messages will come again", "error", err)
			break
		}
	}
	w.acks, w.bytes, w.due = nil, 0, time.Time{}
	return nil
}
