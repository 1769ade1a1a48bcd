package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/services/internal/durable"
	"github.com/spoke-sync/spoke/services/internal/powercut"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, tc := range []struct {
		text string
		perm fs.FileMode
	}{{"first", 0o600}, {"a longer second", 0o640}, {"", 0o600}} {
		require.NoError(t, durable.WriteFile(path, []byte(tc.text), tc.perm))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, tc.text, string(b))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, tc.perm, info.Mode())
	}
	require.Equal(t, []string{"file"}, names(t, dir))
}

func TestWriteFileFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.ErrorIs(t, durable.WriteFile(filepath.Join(dir, "none", "file"), nil, 0o600), fs.ErrNotExist)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "taken", "sub"), 0o700))
	err := durable.WriteFile(filepath.Join(dir, "taken"), []byte("x"), 0o600)
	require.ErrorContains(t, err, "write "+filepath.Join(dir, "taken"))
	require.Equal(t, []string{"taken"}, names(t, dir), "no temporary file stays")
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// The power is cut before each change that WriteFile makes: what survives is
// the old file or the new one, and the new one once it has returned.
func TestWriteFileSurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	for _, old := range []string{"", "old"} {
		for cut, done := 0, false; !done; cut++ {
			from := t.TempDir()
			if old != "" {
				require.NoError(t, os.WriteFile(filepath.Join(from, "file"), []byte(old), 0o600))
			}
			disk := powercut.Mount(t, powercut.Options{From: from})
			disk.CutAfter(cut)
			err := durable.WriteFile(filepath.Join(disk.Path(), "file"), []byte("new"), 0o600)
			done = err == nil
			disk.Cut()
			left := t.TempDir()
			require.NoError(t, disk.Survivors(left))
			b, err := os.ReadFile(filepath.Join(left, "file"))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				require.True(t, old == "" && !done, "cut before change %d: the file is gone", cut)
			case done:
				require.Equal(t, "new", string(b))
			default:
				require.NoError(t, err)
				require.Contains(t, []string{old, "new"}, string(b), "cut before change %d", cut)
				require.NotEmpty(t, b)
			}
			require.Less(t, cut, 20, "it never succeeds")
		}
	}
}
