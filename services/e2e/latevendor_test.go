package e2e_test

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// TestLateVendor starts Spoke while nobody answers at a vendor's address. It
// runs, says so, serves the other vendors, and catches up by itself.
func TestLateVendor(t *testing.T) {
	t.Parallel()
	folder, address, late := t.TempDir(), freeAddress(t), freeAddress(t)
	boxes, err := demo.Open(demo.SandboxOptions{Ingest: "http://" + address, Log: discard()})
	require.NoError(t, err)
	t.Cleanup(boxes.Close)
	text := strings.ReplaceAll(boxes.Config(filepath.Join(folder, "data"), address), boxes.URLs["netsuite"], "http://"+late)
	p := start(t, program(t, spoke), nil, "up", "-c", writeConfig(t, text))
	await(t, "Spoke is ready", func() bool { return !p.running() || strings.HasPrefix(p.stdout.String(), "ready after ") })
	require.True(t, p.running(), "Spoke has ended")

	win(t, boxes, firstDeal)
	await(t, "the other vendors do not wait", func() bool {
		d := boxes.HubSpot.Deal(firstDeal)
		return d["spoke_quickbooks_invoice"] != "" && d["spoke_stripe_invoice"] != ""
	})
	require.Empty(t, boxes.HubSpot.Deal(firstDeal)["spoke_netsuite_order"])
	down := reaches(t, folder, "netsuite", "open")
	require.NotEmpty(t, down.State.Reason)
	require.NotEmpty(t, down.State.Hint)

	appear(t, late, boxes.NetSuite)
	numbered(t, boxes, firstDeal)
	reaches(t, folder, "netsuite", "running")
	pay(t, boxes, firstDeal)
	paid(t, boxes, firstDeal)
	madeOnce(t, boxes, []string{firstDeal}, []string{firstCompany})
	p.stop(t)
	require.Zero(t, p.cmd.ProcessState.ExitCode())
}

// appear serves a vendor from now on.
func appear(t *testing.T, address string, vendor http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &http.Server{Handler: vendor, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // until Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
}

// condition is a connection as spoke status tells of it.
type condition struct {
	Name  string `json:"name"`
	State struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
		Hint   string `json:"hint"`
	} `json:"state"`
}

// reaches waits until spoke status shows a connection in a state.
func reaches(t *testing.T, folder, connection, state string) (c condition) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for c.State.State != state {
		require.True(t, time.Now().Before(deadline), "%s is %s, not %s", connection, c.State.State, state)
		status, stdout, stderr := run(t, "status", "--json", "--data", filepath.Join(folder, "data"))
		require.Zero(t, status, stderr)
		var now struct {
			Connections []condition `json:"connections"`
		}
		require.NoError(t, json.Unmarshal([]byte(stdout), &now))
		i := slices.IndexFunc(now.Connections, func(c condition) bool { return c.Name == connection })
		require.GreaterOrEqual(t, i, 0, "no connection "+connection)
		c = now.Connections[i]
	}
	return c
}
