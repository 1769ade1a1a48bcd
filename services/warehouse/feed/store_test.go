package feed_test

import (
	"sync"

	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// stores remembers what was committed, by stream, from one opening to the
// next. The real lake can't be used in a synctest bubble: its compressor is
// shared with other tests.
type stores struct {
	mu        sync.Mutex
	positions map[row.Stream]uint64
	fail      []error // of the next commits
	closed    int
}

func (s *stores) position(of row.Stream) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.positions[of]
}

func (s *stores) open(of row.Stream) (feed.Store, error) {
	return &memory{all: s, stream: of, last: s.position(of)}, nil
}

type memory struct {
	all    *stores
	stream row.Stream
	rows   int
	last   uint64
}

func (m *memory) Position() uint64       { return m.all.position(m.stream) }
func (m *memory) Pending() (int, uint64) { return m.rows, m.last }

func (m *memory) Append(entries ...lake.Entry) error {
	for _, e := range entries {
		if e.Seq <= m.last {
			continue
		}
		m.last = e.Seq
		if e.Row != nil {
			m.rows++
		}
	}
	return nil
}

func (m *memory) Commit() (lake.Commit, error) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	if len(m.all.fail) > 0 {
		err := m.all.fail[0]
		m.all.fail = m.all.fail[1:]
		if err != nil {
			return lake.Commit{}, err
		}
	}
	position := m.all.positions[m.stream]
	if position == m.last {
		return lake.Commit{}, nil
	}
	c := lake.Commit{Stream: lake.Stream(m.stream), First: position + 1, Last: m.last, Rows: m.rows}
	if m.all.positions == nil {
		m.all.positions = map[row.Stream]uint64{}
	}
	m.all.positions[m.stream], m.rows = m.last, 0
	return c, nil
}

func (m *memory) Close() error {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.all.closed++
	return nil
}
