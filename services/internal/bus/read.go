package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"
)

// Identity tells one stream from another of the same name. A stream that was
// deleted and made again starts at sequence 1, and only Created shows it.
type Identity struct {
	Name    string
	Created time.Time
	// Last is the highest sequence given so far.
	Last uint64
}

// Identify asks the stream's leader who it is.
func (b *Bus) Identify(ctx context.Context, stream string) (Identity, error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return Identity{}, fmt.Errorf("bus: stream %s: %w", stream, err)
	}
	info := s.CachedInfo()
	return Identity{Name: stream, Created: info.Created.UTC(), Last: info.State.LastSeq}, nil
}

// Read returns the messages that match the filter, in order, from a sequence
// on: at most limit, fewer when they have more than maxBytes together, none
// when there are none or ctx ended. It needs no consumer and leaves no trace
// on the server.
//
// Any replica may answer, so the newest messages can be missing for a moment.
// A message can be missing in between when this client was too slow for the
// answer; a caller that counts on every one checks the sequences.
func (b *Bus) Read(ctx context.Context, stream, filter string, from uint64, limit, maxBytes int) ([]Stored, error) {
	one, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	msgs, err := jetstreamext.GetBatch(one, b.js, stream, limit, jetstreamext.GetBatchSeq(max(from, 1)),
		jetstreamext.GetBatchSubject(filter), jetstreamext.GetBatchMaxBytes(maxBytes))
	if err != nil {
		return nil, fmt.Errorf("bus: read %s: %w", stream, err)
	}
	var got []Stored
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) || ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("bus: read %s: %w", stream, err)
		}
		got = append(got, stored(m))
	}
	if len(got) == 0 && ctx.Err() == nil && one.Err() != nil {
		// The iterator ends at its deadline as if it were complete.
		return nil, fmt.Errorf("bus: read %s: %w", stream, one.Err())
	}
	return got, nil
}

// Since returns the sequence of the first message that matches the filter and
// was stored at or after a time; 0 when there is none. A zero time is the
// beginning of the stream.
func (b *Bus) Since(ctx context.Context, stream, filter string, t time.Time) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	from := jetstreamext.GetBatchSeq(1)
	if !t.IsZero() {
		from = jetstreamext.GetBatchStartTime(t)
	}
	msgs, err := jetstreamext.GetBatch(ctx, b.js, stream, 1, from, jetstreamext.GetBatchSubject(filter))
	if err != nil {
		return 0, fmt.Errorf("bus: read %s: %w", stream, err)
	}
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("bus: read %s: %w", stream, err)
		}
		return m.Sequence, nil
	}
	return 0, whole(ctx, stream)
}

// Flush waits until the server has taken everything that was sent before,
// such as acks.
func (b *Bus) Flush() error {
	if err := b.nc.FlushTimeout(requestTimeout); err != nil {
		return fmt.Errorf("bus: flush: %w", err)
	}
	return nil
}
