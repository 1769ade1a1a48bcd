package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	hub       = row.Stream{Name: "HUB", Created: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
	warehouse = row.Stream{Name: "WAREHOUSE", Created: time.Date(2026, 11, 1, 8, 0, 1, 0, time.UTC)}
	monday    = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	errDown   = errors.New("server is down")
)

// stream is a stream with one consumer, in memory: a durable that delivers
// what was not acked again after Seek.
type stream struct {
	mu    sync.Mutex
	id    row.Stream
	msgs  []feed.Message
	next  int
	acked map[uint64]int
	seeks []uint64
	fail  []error // of the next fetches
	came  chan struct{}
	// lose leaves out sequences on their first delivery.
	lose map[uint64]bool
	// blind is how many calls of After know nothing, as on a stale replica.
	blind int
}

func newStream(id row.Stream) *stream {
	return &stream{id: id, acked: map[uint64]int{}, lose: map[uint64]bool{}, came: make(chan struct{}, 1)}
}

func (s *stream) add(subject string, data []byte) {
	s.mu.Lock()
	seq := uint64(1)
	if n := len(s.msgs); n > 0 {
		seq = s.msgs[n-1].Seq + 1
	}
	at := row.Stream{Name: s.id.Name, Created: s.id.Created.In(time.FixedZone("there", 3600))}
	o := row.Origin{Stream: at, Seq: seq, Time: monday, Subject: subject}
	s.msgs = append(s.msgs, feed.Message{Origin: o, Data: data})
	s.mu.Unlock()
	select {
	case s.came <- struct{}{}:
	default:
	}
}

func (s *stream) Fetch(ctx context.Context, limit int, wait time.Duration) (feed.Batch, error) {
	if b, err := s.ready(limit); err != nil || len(b.Messages) > 0 || wait <= 0 {
		return b, err
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-s.came:
		return s.ready(limit)
	}
	return feed.Batch{}, nil
}

func (s *stream) ready(limit int) (feed.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fail) > 0 {
		err := s.fail[0]
		s.fail = s.fail[1:]
		if err != nil {
			return feed.Batch{}, err
		}
	}
	var b feed.Batch
	for ; s.next < len(s.msgs) && len(b.Messages) < limit; s.next++ {
		m := s.msgs[s.next]
		if s.lose[m.Seq] {
			delete(s.lose, m.Seq)
			continue
		}
		b.Messages = append(b.Messages, m)
	}
	b.Ack = func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, m := range b.Messages {
			s.acked[m.Seq]++
		}
		return nil
	}
	return b, nil
}

func (s *stream) Stream(context.Context) (row.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id, nil
}

func (s *stream) Seek(_ context.Context, after uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seeks = append(s.seeks, after)
	s.next = 0
	for s.next < len(s.msgs) && s.msgs[s.next].Seq <= after {
		s.next++
	}
	return nil
}

func (s *stream) After(_ context.Context, after uint64) (uint64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blind > 0 {
		s.blind--
		return 0, false, nil
	}
	for _, m := range s.msgs {
		if m.Seq > after {
			return m.Seq, true, nil
		}
	}
	return 0, false, nil
}

func (s *stream) ackedCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked)
}

// publisher puts rows on a stream and drops ids that it knows.
type publisher struct {
	to    *stream
	known map[string]bool
	fail  []error
	half  bool // a failing publish stores its first row
}

func (p *publisher) Publish(_ context.Context, rows []row.Envelope) error {
	var err error
	if len(p.fail) > 0 {
		err, p.fail = p.fail[0], p.fail[1:]
	}
	for i, r := range rows {
		if err != nil && (!p.half || i > 0) {
			return err
		}
		if p.known[r.ID] {
			continue
		}
		p.known[r.ID] = true
		data, merr := json.Marshal(r.Event)
		if merr != nil {
			return merr
		}
		p.to.add(r.Subject, data)
	}
	return err
}

// refuser keeps what was refused.
type refuser struct {
	mu      sync.Mutex
	refused []uint64
	err     error
}

func (r *refuser) Refuse(_ context.Context, m feed.Message, _ error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.refused = append(r.refused, m.Seq)
	return nil
}

func addRecord(t *testing.T, s *stream, id string) {
	t.Helper()
	rec := events.Record{Tenant: "acme", Key: events.Key{Entity: events.EntityDeal, ID: id}, Version: 1, UpdatedAt: monday}
	b, err := json.Marshal(rec)
	require.NoError(t, err)
	s.add(events.RecordSubject("acme", rec.Key), b)
}

// addRows puts rows of n records on a WAREHOUSE stream.
func addRows(t *testing.T, s *stream, n int) {
	t.Helper()
	from := newStream(hub)
	for i := range n {
		addRecord(t, from, fmt.Sprint(len(s.msgs)+i))
	}
	p := &publisher{to: s, known: map[string]bool{}}
	for {
		took, err := feed.Rows{Source: from, Publisher: p, Refuser: &refuser{}}.Step(t.Context())
		require.NoError(t, err)
		if from.next == len(from.msgs) || took == 0 {
			return
		}
	}
}
