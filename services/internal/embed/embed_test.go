package embed_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/powercut"
)

func TestTheFolderHasOneOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := embed.Start(embed.Options{Dir: dir})
	require.NoError(t, err)
	_, err = embed.Start(embed.Options{Dir: dir})
	require.ErrorIs(t, err, embed.ErrLocked)
	require.ErrorContains(t, err, "stop it first, or choose another folder")
	s.Stop()
	again, err := embed.Start(embed.Options{Dir: dir})
	require.NoError(t, err, "a stopped server leaves the folder")
	again.Stop()
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{"99\n": "run the newer Spoke", "what\n": "should hold a number"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "format"), []byte(content), 0o600))
		_, err := embed.Start(embed.Options{Dir: dir})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, dir)
		// The refusal lets go of the lock.
		require.NoError(t, os.Remove(filepath.Join(dir, "format")))
		s, err := embed.Start(embed.Options{Dir: dir})
		require.NoError(t, err)
		s.Stop()
	}
}

// Others sync the folder for names of their own: that must not keep the name of
// a file whose bytes are lost.
func TestTheFolderSurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	disk := powercut.Mount(t, powercut.Options{})
	data := filepath.Join(disk.Path(), "data")
	s, err := embed.Start(embed.Options{Dir: data})
	require.NoError(t, err)
	folder, err := os.Open(data)
	require.NoError(t, err)
	require.NoError(t, folder.Sync())
	require.NoError(t, folder.Close())
	disk.Cut()
	s.Stop()
	left := t.TempDir()
	require.NoError(t, disk.Survivors(left))
	b, err := os.ReadFile(filepath.Join(left, "data", "format"))
	require.NoError(t, err)
	require.Equal(t, "1\n", string(b))
	s, err = embed.Start(embed.Options{Dir: filepath.Join(left, "data")})
	require.NoError(t, err)
	s.Stop()
}

func TestTheSocketAsksForAToken(t *testing.T) {
	t.Parallel()
	s, err := embed.Start(embed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	defer s.Stop()
	nc, err := nats.Connect(s.URL())
	require.NoError(t, err)
	nc.Close()
	u, err := url.Parse(s.URL())
	require.NoError(t, err)
	u.User = nil
	_, err = nats.Connect(u.String())
	require.ErrorIs(t, err, nats.ErrAuthorization)
}

func TestBadListenAddress(t *testing.T) {
	t.Parallel()
	_, err := embed.Start(embed.Options{Dir: t.TempDir(), Listen: "here"})
	require.ErrorContains(t, err, "want host:port")
}
