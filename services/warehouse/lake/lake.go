package lake

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Errors of a Lake.
var (
	// ErrLocked means that another process, or another Lake in this one,
	// writes the same root.
	ErrLocked = errors.New("lake: in use by another loader")
	// ErrBroken means that an earlier Commit failed. Open the lake again: that
	// finishes the commit or takes it back.
	ErrBroken = errors.New("lake: an earlier commit failed, open the lake again")
)

// Lake writes the rows of one stream. It belongs to one goroutine.
type Lake struct {
	root    string
	stream  row.Stream
	tables  []*row.Table
	codec   compress.Codec
	disk    disk
	lock    *os.File
	schemas map[string]schema

	position uint64 // durable
	last     uint64 // appended
	rows     int
	parts    map[part][]entry
	done     string // record of the last commit
	broken   bool
}

// part is what goes into one file.
type part struct{ table, date string }

type entry struct {
	seq uint64
	row row.Row
}

// Entry is a message of the stream.
type Entry struct {
	// Seq is its sequence in WAREHOUSE.
	Seq uint64
	// Row is what it holds; nil moves the position past a message that makes
	// no row.
	Row *row.Row
}

// Open takes the lake under root, makes it if there is none, finishes or
// takes back what a crash left behind, and writes views.sql. The stream is
// the one whose messages will be appended: a lake remembers a position for
// each stream it has ever read, by name and creation.
func Open(root string, s row.Stream) (*Lake, error) {
	return open(root, s, &Lake{tables: row.Tables(), codec: &parquet.Zstd})
}

// open completes l, which holds what tests replace.
func open(root string, s row.Stream, l *Lake) (_ *Lake, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	l.root, l.stream, l.schemas, l.parts = root, s, map[string]schema{}, map[part][]entry{}
	for _, t := range l.tables {
		l.schemas[t.Name] = newSchema(t)
	}
	for _, dir := range []string{filepath.Join(root, dirStaging), l.commits()} {
		if err := l.disk.mkdir(dir); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
	}
	if l.lock, err = lock(filepath.Join(root, fileLock)); err != nil {
		if errors.Is(err, ErrLocked) {
			return nil, err
		}
		return nil, fmt.Errorf("lake: %w", err)
	}
	if err = l.recover(); err == nil {
		err = l.describe()
	}
	if err != nil {
		return nil, fmt.Errorf("lake: open %s: %w", root, errors.Join(err, l.lock.Close()))
	}
	return l, nil
}

// commits is the folder of this stream's commit records.
func (l *Lake) commits() string { return filepath.Join(l.root, dirCommits, streamDir(l.stream)) }

// Position returns the last sequence that is durably in the lake; 0 when none
// is. Reading starts after it.
func (l *Lake) Position() uint64 { return l.position }

// Pending returns how many rows wait for a Commit, and the last sequence that
// was appended.
func (l *Lake) Pending() (rows int, last uint64) { return l.rows, l.last }

// Append takes messages in stream order. What the lake has already, committed
// or not, is left out, so that a message may be given again; a message that
// was skipped before can't be given later.
func (l *Lake) Append(entries ...Entry) error {
	if l.broken {
		return ErrBroken
	}
	for _, e := range entries {
		if e.Seq <= l.last {
			continue
		}
		if e.Row == nil {
			l.last = e.Seq
			continue
		}
		if _, ok := l.schemas[e.Row.Table.Name]; !ok {
			return fmt.Errorf("lake: no table %s", e.Row.Table.Name)
		}
		l.last = e.Seq
		p := part{e.Row.Table.Name, e.Row.Synced().UTC().Format(time.DateOnly)}
		l.parts[p] = append(l.parts[p], entry{e.Seq, *e.Row})
		l.rows++
	}
	return nil
}

// Commit makes everything that was appended durable. After an error the Lake
// is broken: whether the commit holds is decided by the next Open.
func (l *Lake) Commit() (Commit, error) {
	if l.broken {
		return Commit{}, ErrBroken
	}
	if l.last == l.position {
		return Commit{}, nil
	}
	c, err := l.commit()
	if err != nil {
		l.broken = true
		return Commit{}, fmt.Errorf("lake: commit up to %d: %w", l.last, err)
	}
	l.position, l.rows, l.parts = l.last, 0, map[part][]entry{}
	return c, nil
}

func (l *Lake) commit() (Commit, error) {
	c := Commit{
		Format: commitFormat, Stream: Stream{l.stream.Name, l.stream.Created.UTC()},
		First: l.position + 1, Last: l.last, Rows: l.rows, Files: l.files(),
	}
	for _, f := range c.Files {
		if err := l.stage(f); err != nil {
			return c, err
		}
	}
	if len(c.Files) > 0 {
		if err := l.disk.syncDir(filepath.Join(l.root, dirStaging)); err != nil {
			return c, err
		}
	}
	pending, err := l.record(c)
	if err != nil {
		return c, err
	}
	if err := l.finish(pending, c); err != nil {
		return c, err
	}
	// The record before this one is of no more use. If it comes back after a
	// crash, the newer one outranks it.
	before := l.done
	l.done = doneName(pending)
	if before == "" {
		return c, nil
	}
	return c, l.disk.remove(before)
}

// files lists the files of the commit, in order.
func (l *Lake) files() []File {
	files := make([]File, 0, len(l.parts))
	for p, entries := range l.parts {
		first, last := entries[0].seq, entries[len(entries)-1].seq
		name := number(first) + "-" + number(last) + "-" + tag(l.stream) + ".parquet"
		files = append(files, File{
			Path:  path.Join(p.table, "date="+p.date, name),
			Table: p.table, Date: p.date, First: first, Last: last, Rows: len(entries),
		})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// stage writes one file out of the sight of readers.
func (l *Lake) stage(f File) error {
	s := l.schemas[f.Table]
	return l.disk.create(filepath.Join(l.root, f.staged()), func(out io.Writer) error {
		w := parquet.NewWriter(
			out, s.parquet, parquet.Compression(l.codec),
			parquet.KeyValueMetadata("spoke.stream", l.stream.ID()),
			parquet.KeyValueMetadata("spoke.first", number(f.First)),
			parquet.KeyValueMetadata("spoke.last", number(f.Last)),
		)
		for chunk := range slices.Chunk(l.parts[part{f.Table, f.Date}], writeChunk) {
			rows := make([]parquet.Row, len(chunk))
			for i, e := range chunk {
				r, err := s.row(e.row)
				if err != nil {
					return fmt.Errorf("sequence %d: %w", e.seq, err)
				}
				rows[i] = r
			}
			if _, err := w.WriteRows(rows); err != nil {
				return err
			}
		}
		return w.Close()
	})
}

// writeChunk is how many rows are converted at once, to bound memory.
const writeChunk = 512

// Close gives the lake up. What was not committed is left out, and will be
// read from the stream again.
func (l *Lake) Close() error {
	l.broken = true
	if err := l.lock.Close(); err != nil {
		return fmt.Errorf("lake: close: %w", err)
	}
	return nil
}
