package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// MaxBatch is the most messages that one atomic batch holds; the server's
// default limit.
const MaxBatch = 1000

// Errors of a publish.
var (
	// ErrStale means that an expected sequence no longer holds; nothing was
	// stored.
	ErrStale = errors.New("bus: a newer message stands on the subject")
	// ErrFull means that the stream or the server refuses to store more.
	ErrFull = errors.New("bus: the store is full")
)

// Batch publishes all messages or none, into one stream. It returns the
// sequence of the last one; the others have the sequences before it, in
// order. An error other than ErrStale and ErrFull leaves open whether the
// batch was stored.
func (b *Bus) Batch(ctx context.Context, msgs []Message) (last uint64, err error) {
	if len(msgs) == 1 {
		return b.Publish(ctx, msgs[0])
	}
	native := make([]*nats.Msg, len(msgs))
	for i, m := range msgs {
		native[i] = m.native()
	}
	return b.batch(ctx, native)
}

func (b *Bus) batch(ctx context.Context, native []*nats.Msg) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ack, err := jetstreamext.PublishMsgBatch(ctx, b.js, native, jetstreamext.BatchFlowControl{})
	if err != nil {
		return 0, fmt.Errorf("bus: batch of %d: %w", len(native), classify(err))
	}
	return ack.Sequence, nil
}

// Publish stores one message and returns its sequence.
func (b *Bus) Publish(ctx context.Context, m Message) (uint64, error) {
	msg := m.native()
	var opts []jetstream.PublishOpt
	if m.ID != "" {
		opts = append(opts, jetstream.WithMsgID(m.ID))
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, msg, opts...)
	if err != nil {
		return 0, fmt.Errorf("bus: publish: %w", classify(err))
	}
	return ack.Sequence, nil
}

// The server's error codes that decide something here.
const (
	codeWrongLastSequence         jetstream.ErrorCode = 10071
	codeWrongLastSequenceConstant jetstream.ErrorCode = 10164
	codeInsufficientResources     jetstream.ErrorCode = 10023
	codeStreamStoreFailed         jetstream.ErrorCode = 10077
	codeAccountResourcesExceeded  jetstream.ErrorCode = 10002
	codeStorageResourcesExceeded  jetstream.ErrorCode = 10047
)

func classify(err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return err
	}
	switch api.ErrorCode {
	case codeWrongLastSequence, codeWrongLastSequenceConstant:
		return fmt.Errorf("%w (%w)", ErrStale, err)
	case codeInsufficientResources, codeStreamStoreFailed, codeAccountResourcesExceeded, codeStorageResourcesExceeded:
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}
