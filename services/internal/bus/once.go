package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxBatchBytes bounds the data of one batch of Once: the server stages a
// batch as a whole before it stores it.
const maxBatchBytes = 8 << 20

// codeKnownID refuses an atomic batch of which the stream knows an ID.
const codeKnownID jetstream.ErrorCode = 10201

// Once stores messages of one stream, in order, and leaves out those whose ID
// the stream knows: a publish whose answer was lost may be repeated within
// the stream's duplicate window. Every message needs an ID and no Expect.
//
// It is not atomic: after an error any number of them, from the front, may be
// stored. It goes in atomic batches for their speed, and message by message
// where a batch is refused for one known ID.
func (b *Bus) Once(ctx context.Context, msgs []Message) error {
	for len(msgs) > 0 {
		n := fit(msgs)
		if err := b.once(ctx, msgs[:n]); err != nil {
			return err
		}
		msgs = msgs[n:]
	}
	return nil
}

func (b *Bus) once(ctx context.Context, msgs []Message) error {
	for _, m := range msgs {
		if m.ID == "" || m.Expect != nil {
			return errors.New("bus: a message to be stored once needs an id and no expectation")
		}
	}
	if len(msgs) > 1 {
		_, err := b.batch(ctx, identified(msgs))
		var api *jetstream.APIError
		if err == nil || !errors.As(err, &api) || api.ErrorCode != codeKnownID {
			return err
		}
	}
	for _, m := range msgs {
		if _, err := b.Publish(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// identified makes messages that carry their ID.
func identified(msgs []Message) []*nats.Msg {
	native := make([]*nats.Msg, len(msgs))
	for i, m := range msgs {
		native[i] = m.native()
		native[i].Header.Set(jetstream.MsgIDHeader, m.ID)
	}
	return native
}

// fit returns how many messages, at least one, go into the next batch. A
// batch can't hold an ID twice.
func fit(msgs []Message) int {
	size, seen := 0, make(map[string]bool, min(len(msgs), MaxBatch))
	for i, m := range msgs {
		size += len(m.Data)
		if i > 0 && (i == MaxBatch || size > maxBatchBytes || seen[m.ID]) {
			return i
		}
		seen[m.ID] = true
	}
	return len(msgs)
}
