package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// Stored is a message as a stream holds it.
type Stored struct {
	Subject string
	Seq     uint64
	Time    time.Time
	Header  nats.Header
	Data    []byte
}

// maxMultiGet is how many subjects one multi-get asks for. The server
// answers at most 1,024 messages.
const maxMultiGet = 500

// Last returns the last message on each of the given subjects that has one,
// by subject. It reads from any replica and may be behind by a moment: what
// it returns is used with compare-and-set, never trusted (rule 3).
func (b *Bus) Last(ctx context.Context, stream string, subjects []string) (map[string]Stored, error) {
	found := make(map[string]Stored, len(subjects))
	for len(subjects) > 0 {
		n := min(len(subjects), maxMultiGet)
		for m, err := range b.multiGet(ctx, stream, subjects[:n]) {
			if err != nil {
				return nil, err
			}
			found[m.Subject] = m
		}
		subjects = subjects[n:]
	}
	return found, nil
}

// LastOne returns the last message on a subject. ok is false when there is
// none.
func (b *Bus) LastOne(ctx context.Context, stream, subject string) (m Stored, ok bool, err error) {
	found, err := b.Last(ctx, stream, []string{subject})
	if err != nil {
		return Stored{}, false, err
	}
	m, ok = found[subject]
	return m, ok, nil
}

// At returns the message with a sequence. ok is false when it is not there (any
// more).
func (b *Bus) At(ctx context.Context, stream string, seq uint64) (m Stored, ok bool, err error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return Stored{}, false, fmt.Errorf("bus: stream %s: %w", stream, err)
	}
	raw, err := s.GetMsg(ctx, seq)
	if err != nil {
		if gone(err) {
			return Stored{}, false, nil
		}
		return Stored{}, false, fmt.Errorf("bus: read %s: %w", stream, err)
	}
	return stored(raw), true, nil
}

// Scan returns the last message of every subject that matches the filter, in
// pages, ordered by sequence.
func (b *Bus) Scan(ctx context.Context, stream, filter string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for next := uint64(1); ; {
			seq, err := b.page(ctx, stream, filter, next, yield)
			if err != nil {
				yield(Stored{}, err)
				return
			}
			if seq == 0 {
				return
			}
			next = seq + 1
		}
	}
}

// page yields up to scanPage messages from a sequence on and returns the last
// sequence, or 0 at the end. A stream with one message per subject makes each
// message the last of its subject.
func (b *Bus) page(ctx context.Context, stream, filter string, from uint64, yield func(Stored, error) bool) (uint64, error) {
	const scanPage = 500
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	msgs, err := jetstreamext.GetBatch(ctx, b.js, stream, scanPage,
		jetstreamext.GetBatchSeq(from), jetstreamext.GetBatchSubject(filter))
	if err != nil {
		return 0, fmt.Errorf("bus: read %s: %w", stream, err)
	}
	var last uint64
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("bus: read %s: %w", stream, err)
		}
		last = m.Sequence
		if !yield(stored(m), nil) {
			return 0, nil
		}
	}
	return last, whole(ctx, stream)
}

func (b *Bus) multiGet(ctx context.Context, stream string, subjects []string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		msgs, err := jetstreamext.GetLastMsgsFor(ctx, b.js, stream, subjects)
		if err != nil {
			yield(Stored{}, fmt.Errorf("bus: read %s: %w", stream, err))
			return
		}
		for m, err := range msgs {
			if errors.Is(err, jetstreamext.ErrNoMessages) {
				return
			}
			if err != nil {
				yield(Stored{}, fmt.Errorf("bus: read %s: %w", stream, err))
				return
			}
			if !yield(stored(m), nil) {
				return
			}
		}
		if err := whole(ctx, stream); err != nil {
			yield(Stored{}, err)
		}
	}
}

// whole tells an answer that came to its end from one that ran out of time,
// which the iterators of the client end in the same way.
func whole(ctx context.Context, stream string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("bus: read %s: %w", stream, err)
	}
	return nil
}

func stored(m *jetstream.RawStreamMsg) Stored {
	return Stored{Subject: m.Subject, Seq: m.Sequence, Time: m.Time, Header: m.Header, Data: m.Data}
}

// Delete removes a message by sequence. A message that is gone already is no
// error.
func (b *Bus) Delete(ctx context.Context, stream string, seq uint64) error {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("bus: stream %s: %w", stream, err)
	}
	err = s.DeleteMsg(ctx, seq)
	if err != nil && !gone(err) {
		return fmt.Errorf("bus: delete from %s: %w", stream, err)
	}
	return nil
}

// gone recognises the server's answers for a sequence that was deleted,
// replaced or never given. The client flattens them into text.
func gone(err error) bool {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true
	}
	text := err.Error()
	for _, answer := range []string{"err_code=10043", "err_code=10057 description=no message found", "err_code=10057 description=stream store EOF"} {
		if strings.Contains(text, answer) {
			return true
		}
	}
	return false
}
