package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Puller fetches messages of one durable consumer.
type Puller struct {
	bus    *Bus
	cons   jetstream.Consumer
	stream string
	keep   *keeper
}

// Delivered is a message that waits for an ack. Until it is acked, given back or
// left, no other process gets it, unless this one dies.
type Delivered struct {
	Stored
	// Deliveries counts this delivery too.
	Deliveries uint64
	msg        jetstream.Msg
	keep       *keeper
}

// Puller opens an existing durable. It never creates one.
func (b *Bus) Puller(ctx context.Context, stream, durable string) (*Puller, error) {
	cons, err := b.js.Consumer(ctx, stream, durable)
	if err != nil {
		return nil, fmt.Errorf("bus: consumer %s of %s: %w", durable, stream, err)
	}
	return &Puller{bus: b, cons: cons, stream: stream, keep: newKeeper(b.closed)}, nil
}

// slice is how long one request may wait at the server. A request is never
// cancelled: a message that the server sends to a cancelled one reaches nobody
// and comes again only when its ack time is over.
const slice = 500 * time.Millisecond

// Pull waits up to wait for the first message and returns at most limit
// messages, fewer when no more are ready. It returns none, without an error,
// when nothing came or ctx ended; messages that arrive while ctx ends are
// returned, and are the caller's to finish or give back.
func (p *Puller) Pull(ctx context.Context, limit int, wait time.Duration) ([]Delivered, error) {
	for deadline := time.Now().Add(wait); ctx.Err() == nil; {
		// What is ready now comes at once; only an empty consumer is waited for.
		got, err := p.fetch(limit, func() (jetstream.MessageBatch, error) { return p.cons.FetchNoWait(limit) })
		left := min(time.Until(deadline), slice)
		if err != nil || len(got) > 0 || left <= 0 {
			return got, err
		}
		got, err = p.fetch(1, func() (jetstream.MessageBatch, error) {
			return p.cons.Fetch(1, jetstream.FetchMaxWait(left))
		})
		if err != nil || len(got) > 0 {
			return p.more(got, limit, err)
		}
	}
	return nil, nil
}

// more adds what has come along with the first message.
func (p *Puller) more(got []Delivered, limit int, err error) ([]Delivered, error) {
	if err != nil || len(got) >= limit {
		return got, err
	}
	rest, err := p.fetch(limit-len(got), func() (jetstream.MessageBatch, error) {
		return p.cons.FetchNoWait(limit - len(got))
	})
	return append(got, rest...), err
}

func (p *Puller) fetch(limit int, open func() (jetstream.MessageBatch, error)) ([]Delivered, error) {
	batch, err := open()
	if err != nil {
		return nil, p.ignorable(err)
	}
	got := make([]Delivered, 0, min(limit, 256))
	for m := range batch.Messages() {
		d, err := delivered(m)
		if err != nil {
			return got, err
		}
		d.keep = p.keep
		got = append(got, d)
	}
	p.keep.add(got)
	return got, p.ignorable(batch.Error())
}

// ignorable drops errors that only mean "nothing right now".
func (p *Puller) ignorable(err error) error {
	switch {
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoMessages), errors.Is(err, jetstream.ErrNoHeartbeat):
		return nil
	}
	return fmt.Errorf("bus: pull from %s: %w", p.stream, err)
}

func delivered(m jetstream.Msg) (Delivered, error) {
	meta, err := m.Metadata()
	if err != nil {
		return Delivered{}, fmt.Errorf("bus: metadata: %w", err)
	}
	return Delivered{
		Stored: Stored{
			Subject: m.Subject(), Seq: meta.Sequence.Stream, Time: meta.Timestamp,
			Header: m.Headers(), Data: m.Data(),
		},
		Deliveries: meta.NumDelivered, msg: m,
	}, nil
}

// Ack tells the server that the message is done, without waiting. A lost ack
// means one more delivery.
func (d Delivered) Ack() error {
	d.keep.drop(d.msg)
	return d.msg.Ack()
}

// Settle acks and waits until the server has it.
func (d Delivered) Settle(ctx context.Context) error {
	d.keep.drop(d.msg)
	return d.msg.DoubleAck(ctx)
}

// Again asks for another delivery after a delay.
func (d Delivered) Again(delay time.Duration) error {
	d.keep.drop(d.msg)
	return d.msg.NakWithDelay(delay)
}

// Working tells the server at once that the message is worked on, for a durable
// with an ack time of its own.
func (d Delivered) Working() error { return d.msg.InProgress() }

// Leave lets go of a message that another process has, or will get when its
// ack time is over.
func (d Delivered) Leave() { d.keep.drop(d.msg) }

// Pending returns how many messages the durable has not been given yet and how
// many it was given without an ack. The server tells a consumer of a message a
// moment after it has stored it; one that it has not told of yet counts too, so
// that nothing waits if and only if everything stored before the call was given.
func (p *Puller) Pending(ctx context.Context) (waiting uint64, unacked int, err error) {
	info, err := p.cons.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("bus: consumer of %s: %w", p.stream, err)
	}
	if info.NumPending > 0 {
		return info.NumPending, info.NumAckPending, nil
	}
	last, ok, err := p.bus.Newest(ctx, p.stream, cmp.Or(info.Config.FilterSubject, ">"))
	if err != nil {
		return 0, 0, err
	}
	if ok && last.Seq > info.Delivered.Stream {
		waiting = 1
	}
	return waiting, info.NumAckPending, nil
}
