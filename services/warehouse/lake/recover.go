package lake

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recover brings the folder into the state of the last commit and learns the
// position in the stream of this Lake.
func (l *Lake) recover() error {
	if err := l.keepFolders(); err != nil {
		return err
	}
	streams, err := os.ReadDir(filepath.Join(l.root, dirCommits))
	if err != nil {
		return err
	}
	for _, s := range streams {
		dir := filepath.Join(l.root, dirCommits, s.Name())
		done, err := l.recoverStream(dir)
		if err != nil {
			return err
		}
		if dir != l.commits() || done == "" {
			continue
		}
		c, err := read(done)
		if err != nil {
			return err
		}
		l.done, l.position, l.last = done, c.Last, c.Last
	}
	if err := l.empty(filepath.Join(l.root, dirStaging), ""); err != nil {
		return err
	}
	return l.verify(l.position)
}

// keepFolders makes the names of folders durable. A process that was killed
// may have made one without having synced it, and files in a folder last no
// longer than its name.
func (l *Lake) keepFolders() error {
	for dir, above := l.root, filepath.Dir(l.root); above != dir; dir, above = above, filepath.Dir(above) {
		// Folders that refuse (read-only, no permission) are none of ours.
		_ = l.disk.syncDir(above)
	}
	entries, err := os.ReadDir(l.root)
	if err != nil {
		return err
	}
	dirs := []string{l.root, filepath.Join(l.root, dirCommits)}
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(l.root, e.Name())) // tables and .lake
		}
	}
	for _, dir := range dirs {
		if err := l.disk.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// recoverStream finishes what is pending in a folder of records, drops all
// but the last one and returns its path.
func (l *Lake) recoverStream(dir string) (done string, err error) {
	// A record may have been renamed, but not yet durably, before a crash. It
	// counts from here on, so its name must last.
	if err := l.disk.syncDir(dir); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir) // sorted by name, hence by sequence
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(path, suffixDone) {
			done = path
		}
		if !strings.HasSuffix(path, suffixPending) {
			continue
		}
		c, err := read(path)
		if err != nil {
			return "", err
		}
		if err := l.finish(path, c); err != nil {
			return "", err
		}
		done = doneName(path)
	}
	return done, l.empty(dir, done)
}

// empty removes the files of a folder but for one.
func (l *Lake) empty(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() || path == keep {
			continue
		}
		if err := l.disk.remove(path); err != nil {
			return err
		}
	}
	return nil
}

// verify refuses a lake that holds files beyond its position: its commit
// records were lost or restored from an older backup than its files, and
// going on would write rows twice.
func (l *Lake) verify(position uint64) error {
	ending := "-" + tag(l.stream) + ".parquet"
	return filepath.WalkDir(l.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if err == nil && e.Name() == dirMeta {
				return fs.SkipDir
			}
			return err
		}
		span, ok := strings.CutSuffix(e.Name(), ending)
		if !ok {
			return nil
		}
		_, last, _ := strings.Cut(span, "-")
		if last <= number(position) { // both have 20 digits
			return nil
		}
		return fmt.Errorf("file %s goes beyond the last commit (sequence %d): files and %s do not belong together, restore both from one backup",
			path, position, dirMeta)
	})
}
