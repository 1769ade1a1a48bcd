package jet

import (
	"context"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Log reads the rows of a tenant on WAREHOUSE from any position, without a
// consumer: the reader's own position is the only truth about what it has, so
// acks could only contradict it, and any number of lakes may read one stream.
// A Log belongs to one goroutine.
type Log struct {
	bus    *bus.Bus
	filter string
	meter  *Meter

	id   row.Stream
	next uint64
}

var _ feed.Log = (*Log)(nil)

// NewLog returns the Log of a tenant. meter may be nil.
func NewLog(b *bus.Bus, tenant string, meter *Meter) *Log {
	return &Log{bus: b, filter: "warehouse." + events.Token(tenant) + ".>", meter: meter, next: 1}
}

const (
	// poll is how often an idle Log looks for rows. Rows wait for their file
	// for seconds anyway.
	poll = 250 * time.Millisecond
	// maxRead bounds the memory of one Fetch.
	maxRead = 16 << 20
)

// Stream implements feed.Log.
func (l *Log) Stream(ctx context.Context) (row.Stream, error) {
	id, err := identify(ctx, l.bus, events.StreamWarehouse)
	if err != nil {
		return row.Stream{}, err
	}
	l.id = id
	return id, nil
}

// Seek implements feed.Log. It refuses a position beyond the end of the
// stream: the stream was restored from an older backup then, and the
// sequences that it gives next are other rows than those the reader has under
// these numbers.
func (l *Log) Seek(ctx context.Context, after uint64) error {
	id, err := l.bus.Identify(ctx, events.StreamWarehouse)
	if err != nil {
		return err
	}
	if after > id.Last {
		return fmt.Errorf("stream %s ends at %d, before the reader's position: restore both from one backup, or start a new lake", events.StreamWarehouse, id.Last)
	}
	l.next = after + 1
	return nil
}

// After implements feed.Log.
func (l *Log) After(ctx context.Context, after uint64) (seq uint64, found bool, err error) {
	msgs, err := l.bus.Read(ctx, events.StreamWarehouse, l.filter, after+1, 1, maxRead)
	if err != nil || len(msgs) == 0 {
		return 0, false, err
	}
	return msgs[0].Seq, true, nil
}

// Fetch implements feed.Source. Its Batch needs no Ack.
func (l *Log) Fetch(ctx context.Context, limit int, wait time.Duration) (feed.Batch, error) {
	msgs, err := l.read(ctx, limit, wait)
	if err == nil && ctx.Err() == nil {
		err = l.confirm(ctx, msgs)
	}
	if err != nil || ctx.Err() != nil {
		return feed.Batch{}, unlessStopped(ctx, err)
	}
	b := feed.Batch{Messages: make([]feed.Message, len(msgs))}
	for i, m := range msgs {
		b.Messages[i] = message(l.id, m)
		l.next = m.Seq + 1
	}
	return b, nil
}

// read looks for messages until some are there or the wait is over.
func (l *Log) read(ctx context.Context, limit int, wait time.Duration) ([]bus.Stored, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	look := time.NewTicker(poll)
	defer look.Stop()
	for {
		msgs, err := l.bus.Read(ctx, events.StreamWarehouse, l.filter, l.next, limit, maxRead)
		if err != nil || len(msgs) > 0 {
			return msgs, err
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-over.C:
			return nil, nil
		case <-look.C:
		}
	}
}

// confirm makes sure that the stream is still the one that Stream returned.
// One that was made anew is shorter, and would look idle for ever.
func (l *Log) confirm(ctx context.Context, msgs []bus.Stored) error {
	now, err := l.bus.Identify(ctx, events.StreamWarehouse)
	if err != nil {
		return err
	}
	id := row.Stream{Name: now.Name, Created: now.Created}
	if !id.Equal(l.id) {
		return fmt.Errorf("stream %s is now %s", l.id.ID(), id.ID())
	}
	read := l.next - 1
	if n := len(msgs); n > 0 {
		read = msgs[n-1].Seq
	}
	l.meter.behind(read, now.Last)
	return nil
}
