package powercut_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/services/internal/powercut"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drive does things on a disk; the first that fails ends the test.
type drive struct {
	t    *testing.T
	root string
}

func (d drive) path(name string) string { return filepath.Join(d.root, name) }

func (d drive) open(name string, flags int) *os.File {
	d.t.Helper()
	f, err := os.OpenFile(d.path(name), flags, 0o640)
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = f.Close() })
	return f
}

// write writes a new file or over an old one, through a handle that is closed.
func (d drive) write(name, text string, flags int) {
	d.t.Helper()
	f := d.open(name, os.O_CREATE|os.O_RDWR|flags)
	_, err := f.WriteString(text)
	require.NoError(d.t, err)
	require.NoError(d.t, f.Close())
}

// sync syncs a file or folder.
func (d drive) sync(name string) {
	d.t.Helper()
	f := d.open(name, os.O_RDONLY)
	require.NoError(d.t, f.Sync())
	require.NoError(d.t, f.Close())
}

func (d drive) do(err error) {
	d.t.Helper()
	require.NoError(d.t, err)
}

// What survives, by what was done. old, with its folder and the folder sub,
// is on the disk from the start.
func TestWhatSurvives(t *testing.T) {
	t.Parallel()
	powercut.Require(t)
	for _, tc := range []struct {
		name string
		do   func(d drive)
		want map[string]string // what differs from the start; "-" is gone
	}{
		{"nothing was done", func(drive) {}, nil},
		{"a new file, not synced", func(d drive) { d.write("f", "text", 0) }, nil},
		{"a new file, synced", func(d drive) { d.write("f", "text", 0); d.sync("f") }, map[string]string{"f": "text"}},
		{"a new file, its folder synced", func(d drive) { d.write("f", "text", 0); d.sync("") }, map[string]string{"f": ""}},
		{"a new file in new folders, synced", func(d drive) {
			d.do(os.MkdirAll(d.path("a/b"), 0o750))
			d.write("a/other", "text", 0)
			d.write("a/b/f", "text", 0)
			d.sync("a/b/f")
		}, map[string]string{"a/": "", "a/b/": "", "a/b/f": "text"}},
		{"written after the sync", func(d drive) {
			f := d.open("f", os.O_CREATE|os.O_RDWR)
			_, err := f.WriteString("one")
			d.do(err)
			d.do(f.Sync())
			_, err = f.WriteString("two")
			d.do(err)
		}, map[string]string{"f": "one"}},
		{"fdatasync", func(d drive) {
			f := d.open("old", os.O_RDWR|os.O_APPEND)
			_, err := f.WriteString(" and new")
			d.do(err)
			d.do(syscall.Fdatasync(int(f.Fd())))
		}, map[string]string{"old": "old and new"}},
		{"O_SYNC", func(d drive) { d.write("f", "text", os.O_SYNC) }, map[string]string{"f": "text"}},
		{"O_DSYNC", func(d drive) { d.write("f", "text", syscall.O_DSYNC) }, map[string]string{"f": "text"}},
		{"a large O_SYNC write", func(d drive) { d.write("f", strings.Repeat("x", 3<<20), os.O_SYNC) }, map[string]string{"f": strings.Repeat("x", 3<<20)}},
		{"overwritten in the middle", func(d drive) {
			f := d.open("old", os.O_RDWR)
			_, err := f.WriteAt([]byte("L"), 1)
			d.do(err)
			d.do(f.Sync())
			_, err = f.WriteAt([]byte("O"), 0)
			d.do(err)
		}, map[string]string{"old": "oLd"}},
		{"truncated", func(d drive) { d.do(os.Truncate(d.path("old"), 1)) }, nil},
		{"truncated and synced", func(d drive) { d.do(os.Truncate(d.path("old"), 1)); d.sync("old") }, map[string]string{"old": "o"}},
		{"opened with O_TRUNC and synced", func(d drive) { d.write("old", "n", os.O_TRUNC); d.sync("old") }, map[string]string{"old": "n"}},
		{"opened with O_TRUNC", func(d drive) { d.write("old", "n", os.O_TRUNC) }, nil},
		{"extended and synced", func(d drive) { d.do(os.Truncate(d.path("old"), 5)); d.sync("old") }, map[string]string{"old": "old\x00\x00"}},
		{"shrunk, grown and synced", func(d drive) {
			d.do(os.Truncate(d.path("old"), 1))
			d.do(os.Truncate(d.path("old"), 3))
			d.sync("old")
		}, map[string]string{"old": "o\x00\x00"}},
		{"written behind the end and synced", func(d drive) {
			f := d.open("old", os.O_RDWR)
			_, err := f.WriteAt([]byte("!"), 4)
			d.do(err)
			d.do(f.Sync())
		}, map[string]string{"old": "old\x00!"}},
		{"renamed", func(d drive) { d.do(os.Rename(d.path("old"), d.path("new"))) }, nil},
		{"renamed, folder synced", func(d drive) { d.do(os.Rename(d.path("old"), d.path("new"))); d.sync("") }, map[string]string{"old": "-", "new": "old"}},
		{"renamed, file synced", func(d drive) { d.do(os.Rename(d.path("old"), d.path("new"))); d.sync("new") }, nil},
		{"renamed over, not synced", func(d drive) {
			d.write("old.tmp", "new", os.O_SYNC)
			d.do(os.Rename(d.path("old.tmp"), d.path("old")))
		}, map[string]string{"old.tmp": "new"}},
		{"renamed over without a sync of the bytes", func(d drive) {
			d.write("old.tmp", "new", 0)
			d.do(os.Rename(d.path("old.tmp"), d.path("old")))
			d.sync("")
		}, map[string]string{"old": ""}},
		{"renamed over, all synced", func(d drive) {
			d.write("old.tmp", "new", os.O_SYNC)
			d.do(os.Rename(d.path("old.tmp"), d.path("old")))
			d.sync("")
		}, map[string]string{"old": "new"}},
		{"moved, old folder synced", func(d drive) { d.do(os.Rename(d.path("old"), d.path("sub/old"))); d.sync("") }, map[string]string{"old": "-", "sub/old": "old"}},
		{"moved, new folder synced", func(d drive) { d.do(os.Rename(d.path("old"), d.path("sub/old"))); d.sync("sub") }, map[string]string{"old": "-", "sub/old": "old"}},
		{"a folder moved with what is in it", func(d drive) {
			d.write("sub/f", "text", os.O_SYNC)
			d.do(os.Rename(d.path("sub"), d.path("moved")))
			d.sync("")
		}, map[string]string{"sub/": "-", "moved/": "", "moved/f": "text"}},
		{"removed", func(d drive) { d.do(os.Remove(d.path("old"))) }, nil},
		{"removed, folder synced", func(d drive) { d.do(os.Remove(d.path("old"))); d.sync("") }, map[string]string{"old": "-"}},
		{"removed while open", func(d drive) {
			f := d.open("old", os.O_RDWR|os.O_APPEND)
			d.do(os.Remove(d.path("old")))
			_, err := f.WriteString("er")
			d.do(err)
			d.do(f.Sync())
			b := make([]byte, 8)
			n, err := f.ReadAt(b, 0)
			require.Equal(d.t, "older", string(b[:n]), err)
		}, map[string]string{"old": "older"}},
		{"a folder removed", func(d drive) { d.do(os.Remove(d.path("sub"))); d.sync("") }, map[string]string{"sub/": "-"}},
		{"a link", func(d drive) { d.do(os.Link(d.path("old"), d.path("sub/link"))) }, nil},
		{"a link, folder synced", func(d drive) { d.do(os.Link(d.path("old"), d.path("sub/link"))); d.sync("sub") }, map[string]string{"sub/link": "old"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			from := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(from, "sub"), 0o750))
			require.NoError(t, os.WriteFile(filepath.Join(from, "old"), []byte("old"), 0o600))
			disk := powercut.Mount(t, powercut.Options{From: from})
			want := map[string]string{"sub/": "", "old": "old"}
			require.Equal(t, want, tree(t, disk.Path()))
			tc.do(drive{t, disk.Path()})
			disk.Cut()
			maps.Copy(want, tc.want)
			maps.DeleteFunc(want, func(_, v string) bool { return v == "-" })
			require.Equal(t, want, survivors(t, disk))
		})
	}
}

func survivors(t *testing.T, disk *powercut.Disk) map[string]string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, disk.Survivors(dir))
	return tree(t, dir)
}

// tree returns the content of all files, and the folders, which end in "/".
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil || name == ".":
			return err
		case e.IsDir():
			all[name+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		all[name] = string(b)
		return err
	}))
	return all
}

func TestAfterTheCutNothingWorks(t *testing.T) {
	t.Parallel()
	disk := powercut.Mount(t, powercut.Options{})
	d := drive{t, disk.Path()}
	f := d.open("f", os.O_CREATE|os.O_RDWR)
	_, err := f.WriteString("text")
	require.NoError(t, err)
	require.Empty(t, survivors(t, disk), "what a cut would leave")
	disk.Sync()
	disk.Cut()
	_, err = f.WriteString("more")
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, syscall.EIO)
	_, err = os.Open(d.path("f"))
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorIs(t, os.Mkdir(d.path("dir"), 0o700), syscall.EIO)
	require.ErrorIs(t, os.Remove(d.path("f")), syscall.EIO)
	require.Equal(t, map[string]string{"f": "text"}, survivors(t, disk))
}

func TestTheCutComesAfterSoManyChanges(t *testing.T) {
	t.Parallel()
	disk := powercut.Mount(t, powercut.Options{})
	d := drive{t, disk.Path()}
	disk.CutAfter(3)
	f := d.open("f", os.O_CREATE|os.O_RDWR)
	_, err := f.WriteString("text")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.NoError(t, err, "reading changes nothing")
	select {
	case <-disk.Dead():
		require.Fail(t, "the power was cut early")
	default:
	}
	_, err = f.WriteString("more")
	require.ErrorIs(t, err, syscall.EIO)
	<-disk.Dead()
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, syscall.EIO)
}

// The disk must be as any other to who uses it.
func TestItIsAFileSystem(t *testing.T) {
	t.Parallel()
	disk := powercut.Mount(t, powercut.Options{})
	d := drive{t, disk.Path()}
	d.do(os.Mkdir(d.path("dir"), 0o750))
	var want []string
	for i := range 500 {
		name := "file-with-a-long-name-" + strings.Repeat("x", 100) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		d.write("dir/"+name, name, 0)
		want = append(want, name)
	}
	slices.Sort(want)
	entries, err := os.ReadDir(d.path("dir"))
	d.do(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	require.Equal(t, want, got)
	require.ErrorIs(t, os.Remove(d.path("dir")), syscall.ENOTEMPTY)
	require.ErrorIs(t, os.Mkdir(d.path("dir"), 0o700), fs.ErrExist)
	_, err = os.Stat(d.path("none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = os.OpenFile(d.path("dir/"+want[0]), os.O_CREATE|os.O_EXCL, 0o600)
	require.ErrorIs(t, err, fs.ErrExist)
	d.write("f", "f", 0)
	require.ErrorIs(t, os.Rename(d.path("f"), d.path("dir")), fs.ErrExist)
	d.do(os.RemoveAll(d.path("dir")))
	d.do(os.Chmod(d.path("f"), 0o600))
	info, err := os.Stat(d.path("f"))
	d.do(err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	lock := d.open("f", os.O_RDWR)
	other := d.open("f", os.O_RDWR)
	d.do(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	require.ErrorIs(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// A test that leaves a file open must not leave a mount.
func TestItIsUnmountedWhileInUse(t *testing.T) {
	t.Parallel()
	powercut.Require(t)
	var path string
	var left *os.File
	t.Run("use", func(t *testing.T) {
		disk := powercut.Mount(t, powercut.Options{})
		path = disk.Path()
		f, err := os.Create(filepath.Join(path, "f"))
		require.NoError(t, err)
		left = f
	})
	mounts, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), path)
	require.NoError(t, left.Close())
}
