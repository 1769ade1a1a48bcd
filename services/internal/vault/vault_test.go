package vault_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/powercut"
	"github.com/spoke-sync/spoke/services/internal/vault"
)

func newBus(t *testing.T) *bus.Bus {
	t.Helper()
	s, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "t", Replicas: 1})))
	return b
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	key, err := vault.Key(t.TempDir())
	require.NoError(t, err)
	v, err := vault.Open(t.Context(), b.JetStream(), bus.BucketTokens, key)
	require.NoError(t, err)
	s := v.Tokens("books")
	token, rev, err := s.Load(t.Context())
	require.NoError(t, err)
	require.Empty(t, token)
	saved, err := s.Save(t.Context(), "first", rev)
	require.NoError(t, err)
	_, err = s.Save(t.Context(), "other replica", rev)
	require.ErrorIs(t, err, connector.ErrTokenMoved)
	token, rev, err = s.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, "first", token)
	require.Equal(t, saved, rev)
	_, err = s.Save(t.Context(), "second", rev)
	require.NoError(t, err)
	_, err = s.Save(t.Context(), "late", rev)
	require.ErrorIs(t, err, connector.ErrTokenMoved)

	kv, err := b.JetStream().KeyValue(t.Context(), bus.BucketTokens)
	require.NoError(t, err)
	e, err := kv.Get(t.Context(), "books")
	require.NoError(t, err)
	require.NotContains(t, string(e.Value()), "second", "it is stored encrypted")
	// One connection's token in another's place is refused.
	_, err = kv.Put(t.Context(), "stripe", e.Value())
	require.NoError(t, err)
	_, _, err = v.Tokens("stripe").Load(t.Context())
	require.ErrorContains(t, err, "can't be decrypted")
	// So is a wrong key.
	other, err := vault.Key(t.TempDir())
	require.NoError(t, err)
	w, err := vault.Open(t.Context(), b.JetStream(), bus.BucketTokens, other)
	require.NoError(t, err)
	_, _, err = w.Tokens("books").Load(t.Context())
	require.ErrorContains(t, err, vault.EnvKey)
	_, err = kv.Put(t.Context(), "books", []byte("short"))
	require.NoError(t, err)
	_, _, err = s.Load(t.Context())
	require.ErrorContains(t, err, "cut short")
}

func TestKeyIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := vault.Key(dir)
	require.NoError(t, err)
	again, err := vault.Key(dir)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

// A key that was lost would leave all stored tokens unreadable; one that is cut
// short would keep Spoke from starting.
func TestKeySurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	for cut, done := 0, false; !done; cut++ {
		disk := powercut.Mount(t, powercut.Options{})
		disk.CutAfter(cut)
		key, err := vault.Key(filepath.Join(disk.Path(), "data"))
		done = err == nil
		left := t.TempDir()
		require.NoError(t, disk.Survivors(left))
		again, err := vault.Key(filepath.Join(left, "data"))
		require.NoError(t, err, "cut before change %d", cut)
		if done {
			require.Equal(t, key, again)
		}
		require.Less(t, cut, 20, "it never succeeds")
	}
}

func TestBadKeyInTheEnvironment(t *testing.T) {
	t.Setenv(vault.EnvKey, "short")
	_, err := vault.Key(t.TempDir())
	require.ErrorContains(t, err, "32 bytes in base64")
}
