package lake_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/services/warehouse/lake"
)

var errKilled = errors.New("killed")

// machine stops a lake before the n-th change of the file system, and can
// take back what was not synced, as a power cut does. It remembers steps
// over several lives of the process, since a killed process takes its unsynced
// changes to nobody: the system still has them, until the power goes.
type machine struct {
	stopAt int // number of the step in this life; 0: never
	steps  int // in this life
	ops    []step
	saved  map[int][]byte // content of removed files, by index of the step
}

type step struct{ op, path, to string }

func (m *machine) before(op, path, to string) error {
	if m.steps++; m.stopAt > 0 && m.steps >= m.stopAt {
		return errKilled
	}
	if op == "remove" {
		if b, err := os.ReadFile(path); err == nil {
			m.saved[len(m.ops)] = b
		}
	}
	m.ops = append(m.ops, step{op, path, to})
	return nil
}

func newMachine(stopAt int) *machine { return &machine{stopAt: stopAt, saved: map[int][]byte{}} }

// cutPower takes back, from the newest step on, each that no later sync
// covers, if lose says so: names need their folder synced, content its file.
func (m *machine) cutPower(t require.TestingT, lose func() bool) {
	for i := len(m.ops) - 1; i >= 0; i-- {
		s := m.ops[i]
		switch {
		case s.op == "create" && !m.later(i, "sync", s.path) && lose():
			m.undo(t, os.Truncate(s.path, 0))
		case s.op == "create" && !m.later(i, "syncdir", filepath.Dir(s.path)) && !m.later(i, "rename", s.path) && lose():
			m.undo(t, os.Remove(s.path))
		case s.op == "rename" && !m.later(i, "syncdir", filepath.Dir(s.to)) && lose():
			m.undo(t, os.Rename(s.to, s.path))
		case s.op == "mkdir" && !m.later(i, "syncdir", filepath.Dir(s.path)) && lose():
			m.undo(t, os.RemoveAll(s.path))
		case s.op == "remove" && !m.later(i, "syncdir", filepath.Dir(s.path)) && !m.later(i, "create", s.path) && lose():
			if b, ok := m.saved[i]; ok {
				m.undo(t, os.WriteFile(s.path, b, 0o600))
			}
		}
	}
	m.ops, m.saved = nil, map[int][]byte{}
}

// restart begins the next life, which is stopped before step n.
func (m *machine) restart(n int) *machine {
	m.stopAt, m.steps = n, 0
	return m
}

// undo accepts that the step, which is announced before it happens, may not
// have happened.
func (m *machine) undo(t require.TestingT, err error) {
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
}

func (m *machine) later(i int, op, path string) bool {
	for _, s := range m.ops[i+1:] {
		if s.op == op && s.path == path {
			return true
		}
	}
	return false
}

// life opens the lake and loads messages up to last in commits of size, as a
// process does that may be stopped at any step.
func life(t require.TestingT, root string, m *machine, last, size uint64) error {
	l, err := lake.OpenWatched(root, warehouse, m.before)
	if err != nil {
		return err
	}
	defer l.Abandon()
	for seq := l.Position() + 1; seq <= last; seq += size {
		// The stream gives some messages again, as it does after a lost ack.
		from := max(1, seq-min(seq-1, 2))
		if err := l.Append(entries(t, from, min(last, seq+size-1))...); err != nil {
			return err
		}
		if _, err := l.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// Killed before every single change that opening, committing and recovering
// makes, with the page cache kept (a killed process) or lost (a power cut):
// every row is there exactly once in the end.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	const last, size = 7, 4
	whole := newMachine(0)
	require.NoError(t, life(t, t.TempDir(), whole, last, size))
	require.Greater(t, len(whole.ops), 60)
	for _, power := range []bool{false, true} {
		t.Run(fmt.Sprintf("power cut %t", power), func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= len(whole.ops)+1; n++ {
				root := filepath.Join(t.TempDir(), "lake")
				m := newMachine(n)
				err := life(t, root, m, last, size)
				if n <= len(whole.ops) {
					require.ErrorIs(t, err, errKilled, "step %d", n)
				}
				if power {
					m.cutPower(t, func() bool { return true })
				}
				checkNothingHalf(t, root)
				require.NoError(t, life(t, root, newMachine(0), last, size), "after step %d: %v", n, tail(m))
				require.Equal(t, wantRows(last), ids(t, root), "killed before step %d: %v", n, tail(m))
				checkTidy(t, root)
			}
		})
	}
}

// Killed before every step, opened again and killed shortly after, and then
// the power goes: recovery may build on nothing that it did not sync.
func TestPowerCutAfterAKill(t *testing.T) {
	t.Parallel()
	const last, size = 7, 4
	base := t.TempDir()
	whole := newMachine(0)
	require.NoError(t, life(t, filepath.Join(base, "whole"), whole, last, size))
	for n := 1; n <= len(whole.ops); n++ {
		root := filepath.Join(base, fmt.Sprint(n), "lake")
		m := newMachine(n)
		require.ErrorIs(t, life(t, root, m, last, size), errKilled)
		require.NoError(t, life(t, root, m.restart(0), last, size))
		m.cutPower(t, func() bool { return true })
		require.Equal(t, wantRows(last), ids(t, root), "killed before step %d", n)
		require.NoError(t, life(t, root, newMachine(0), last, size))
		require.Equal(t, wantRows(last), ids(t, root), "killed before step %d", n)
		require.NoError(t, os.RemoveAll(filepath.Dir(root)))
	}
}

// Killed between the rename of a commit record and its sync, and the power
// goes at any step of the recovery: the record is made durable before anything
// is built on it.
func TestPowerCutWhileARecordIsRecovered(t *testing.T) {
	t.Parallel()
	const last, size = 7, 4
	base := t.TempDir()
	whole := newMachine(0)
	require.NoError(t, life(t, filepath.Join(base, "whole"), whole, last, size))
	tried := 0
	for n, s := range whole.ops {
		if s.op != "rename" || !strings.HasSuffix(s.to, ".pending.json") {
			continue
		}
		for second := 1; ; second++ {
			root := filepath.Join(base, fmt.Sprint(n, "-", second), "lake")
			m := newMachine(n + 2)
			require.ErrorIs(t, life(t, root, m, last, size), errKilled)
			finished := life(t, root, m.restart(second), last, size) == nil
			m.cutPower(t, func() bool { return true })
			require.NoError(t, life(t, root, newMachine(0), last, size), "power cut at step %d of the recovery", second)
			require.Equal(t, wantRows(last), ids(t, root))
			require.NoError(t, os.RemoveAll(filepath.Dir(root)))
			tried++
			if finished {
				break
			}
		}
	}
	require.Greater(t, tried, 30)
}

// Killed again and again, also while recovering, with any part of the page
// cache lost.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		root := filepath.Join(base, fmt.Sprint(round), "lake")
		last := uint64(rapid.IntRange(1, 8).Draw(t, "last"))
		m := newMachine(0)
		for range rapid.IntRange(1, 4).Draw(t, "kills") {
			m.restart(rapid.IntRange(1, 110).Draw(t, "step"))
			if life(t, root, m, last, uint64(rapid.IntRange(1, 8).Draw(t, "size"))) == nil {
				continue
			}
			if rapid.Bool().Draw(t, "power") {
				m.cutPower(t, func() bool { return rapid.Bool().Draw(t, "lose") })
			}
			checkNothingHalf(t, root)
		}
		require.NoError(t, life(t, root, m.restart(0), last, 5))
		// What is committed stays, whatever was not synced before.
		m.cutPower(t, func() bool { return true })
		require.Equal(t, wantRows(last), ids(t, root))
		require.NoError(t, life(t, root, newMachine(0), last, 5))
		require.Equal(t, wantRows(last), ids(t, root))
		checkTidy(t, root)
		require.NoError(t, os.RemoveAll(filepath.Dir(root)))
	})
}

// checkNothingHalf reads whatever a reader sees at the moment of the crash:
// whole files without repeats.
func checkNothingHalf(t require.TestingT, root string) {
	seen := map[string]bool{}
	for _, id := range ids(t, root) {
		require.False(t, seen[id], "row %s twice", id)
		seen[id] = true
	}
}

func checkTidy(t require.TestingT, root string) {
	staged, err := os.ReadDir(filepath.Join(root, ".lake", "staging"))
	require.NoError(t, err)
	require.Empty(t, staged)
	records, err := filepath.Glob(filepath.Join(root, ".lake", "commits", "*", "*"))
	require.NoError(t, err)
	for _, r := range records {
		require.True(t, strings.HasSuffix(r, ".done.json"), r)
	}
}

func tail(m *machine) []step { return m.ops[max(0, len(m.ops)-4):] }

// An error while committing, such as a full disk, decides nothing: the lake
// refuses to go on, and opening it again mends it.
func TestFailedCommitBreaksTheLake(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	full := false
	l, err := lake.OpenWatched(root, warehouse, func(op, _, _ string) error {
		if full && op == "sync" {
			return errors.New("no space left on device")
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, l.Append(entries(t, 1, 4)...))
	full = true
	_, err = l.Commit()
	require.ErrorContains(t, err, "lake: commit up to 4: no space left on device")
	full = false
	_, err = l.Commit()
	require.ErrorIs(t, err, lake.ErrBroken)
	require.NoError(t, l.Close())

	l = mustOpen(t, root)
	require.Zero(t, l.Position())
	require.NoError(t, l.Append(entries(t, 1, 4)...))
	_, err = l.Commit()
	require.NoError(t, err)
	require.Equal(t, wantRows(4), ids(t, root))
}
