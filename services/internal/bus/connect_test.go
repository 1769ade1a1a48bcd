package bus_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/embed"
)

// TestConnectTellsNoSecret: the address of a server may carry a token or a
// password, and both are asked for again and again while nobody answers.
func TestConnectTellsNoSecret(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	for _, url := range []string{
		"nats://hunter2@" + addr, "nats://me:hunter2@" + addr, "nats://" + addr + ",nats://me:hunter2@" + addr, "me:hunter2@" + addr,
		"nats://me:hunter2@" + addr + "/%zz",
	} {
		var log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := bus.Connect(ctx, bus.Options{URL: url, Log: slog.New(slog.NewTextHandler(&log, nil))})
		cancel()
		require.Error(t, err)
		require.NotContains(t, err.Error()+log.String(), "hunter2", url)
	}
}

func TestConnectNamesTheServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = bus.Connect(ctx, bus.Options{URL: "nats://t@" + addr, Log: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, addr)
}

// TestConnectWaitsForTheServer, which may start later; refused credentials are
// not waited for.
func TestConnectWaitsForTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := embed.Start(embed.Options{Dir: dir, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	b.Close()
	_, err = bus.Connect(t.Context(), bus.Options{URL: "nats://wrong@" + s.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "uthorization")
	s.Stop()
}
