package lake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Commit is the record of one commit, as it stands on disk.
type Commit struct {
	Format int    `json:"format"`
	Stream Stream `json:"stream"`
	// First and Last bound the sequences that the commit covers. Some of
	// them may have no row: messages that were refused, or are gone.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Rows  int    `json:"rows"`
	Files []File `json:"files"`
}

// Stream is a row.Stream in a commit record.
type Stream struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// File is one data file of a commit.
type File struct {
	// Path is relative to the root, with slashes.
	Path  string `json:"path"`
	Table string `json:"table"`
	Date  string `json:"date"` // UTC day of _synced_at
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Rows  int    `json:"rows"`
}

// commitFormat is the version of the record's layout.
const commitFormat = 1

// Where things stand under the root.
const (
	dirMeta       = ".lake"
	dirStaging    = dirMeta + "/staging"
	dirCommits    = dirMeta + "/commits"
	fileLock      = dirMeta + "/lock"
	suffixPending = ".pending.json"
	suffixDone    = ".done.json"
)

// streamDir is the folder name of a stream's commits.
func streamDir(s row.Stream) string {
	return events.Token(s.Name) + "-" + strconv.FormatInt(s.Created.UnixNano(), 10)
}

// tag tells the files of one stream from those of another with the same name.
func tag(s row.Stream) string {
	sum := sha256.Sum256([]byte(s.ID()))
	return hex.EncodeToString(sum[:4])
}

// number writes a sequence so that names sort as the sequences do.
func number(seq uint64) string { return fmt.Sprintf("%020d", seq) }

// staged is where a file stands until its commit holds.
func (f File) staged() string {
	return filepath.FromSlash(dirStaging + "/" + strings.ReplaceAll(f.Path, "/", "__"))
}

func (f File) place() string { return filepath.FromSlash(f.Path) }

// record writes the commit record. Once it returns, the commit holds.
func (l *Lake) record(c Commit) (path string, err error) {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(l.commits(), number(c.Last)+suffixPending)
	return path, l.disk.replace(path, append(b, '\n'))
}

// finish puts the files of a commit in place and marks it done. It may be
// repeated from any point where it was cut off.
func (l *Lake) finish(pending string, c Commit) error {
	for _, f := range c.Files {
		if err := l.settle(f); err != nil {
			return err
		}
	}
	synced := map[string]bool{}
	for _, f := range c.Files {
		dir := filepath.Join(l.root, filepath.Dir(f.place()))
		if synced[dir] {
			continue
		}
		synced[dir] = true
		if err := l.disk.syncDir(dir); err != nil {
			return err
		}
	}
	done := doneName(pending)
	if err := l.disk.rename(pending, done); err != nil {
		return err
	}
	// From here on the files belong to the readers: a retention job may remove
	// them, and no recovery will ask for them.
	return l.disk.syncDir(filepath.Dir(done))
}

// doneName is what a pending record is called once it is finished.
func doneName(pending string) string { return strings.TrimSuffix(pending, suffixPending) + suffixDone }

// settle moves one file from staging to its place.
func (l *Lake) settle(f File) error {
	from, to := filepath.Join(l.root, f.staged()), filepath.Join(l.root, f.place())
	waits, err := exists(from)
	if err != nil {
		return err
	}
	if waits {
		if err := l.disk.mkdir(filepath.Dir(to)); err != nil {
			return err
		}
		return l.disk.rename(from, to)
	}
	stands, err := exists(to)
	if err != nil {
		return err
	}
	if !stands {
		return fmt.Errorf("file %s of an unfinished commit is gone: restore it, or the lake as a whole, from a backup", f.Path)
	}
	return nil
}

// read returns the commit in a record file.
func read(path string) (Commit, error) {
	b, err := os.ReadFile(path) //nolint:gosec // below the configured root
	if err != nil {
		return Commit{}, err
	}
	var c Commit
	if err := json.Unmarshal(b, &c); err != nil {
		return Commit{}, fmt.Errorf("commit record %s: %w", path, err)
	}
	if c.Format != commitFormat {
		return Commit{}, fmt.Errorf("commit record %s: format %d, this version reads %d", path, c.Format, commitFormat)
	}
	for _, f := range c.Files {
		if !filepath.IsLocal(f.place()) {
			return Commit{}, fmt.Errorf("commit record %s: %w", path, errors.New("a file lies outside the lake"))
		}
	}
	return c, nil
}
