package e2e_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/powercut"
	"github.com/spoke-sync/spoke/services/internal/vault"
	"github.com/spoke-sync/spoke/services/spoke/demo"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

// TestPowerCut cuts the power in the middle of traffic, three times on one
// disk. Only what was synced survives it; every event that ingest has answered
// 2xx, and every value that JetStream has acknowledged, must be there when all
// is started again on what is left.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	powercut.Require(t)
	for name, start := range map[string]starter{"spoke up": spokeUp, "nats-server": natsAndIngest("always")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cutPower(t, start, func(lost []string) {
				require.Empty(t, lost[:min(len(lost), 10)], "%d were answered and are lost", len(lost))
			})
		})
	}
}

// TestPowerCutWithoutSync is the control: with the server's default of a sync
// in two minutes, the same cuts must lose what was answered. All that stands
// before the traffic is synced, so that nothing else can be the reason.
func TestPowerCutWithoutSync(t *testing.T) {
	t.Parallel()
	powercut.Require(t)
	cutPower(t, natsAndIngest("2m"), func(lost []string) {
		require.NotEmpty(t, lost, "a disk that loses nothing proves nothing")
	})
}

const (
	cuts = 3
	// syncTakes is the latency of the disk: what is answered without waiting
	// for it is answered too early.
	syncTakes = time.Millisecond
	// A cut comes before one of so many changes of the disk under traffic.
	moments = 1000
)

// powered is what runs on a disk.
type powered struct {
	ingest    string // base URL
	nats      string // URL
	processes []*process
}

// starter starts Spoke on a folder, with what earlier runs left in it.
type starter func(t *testing.T, folder string) powered

// cutPower does the rounds and has judge told after each which events and
// values were lost, of all that were ever answered and not lost before.
func cutPower(t *testing.T, start starter, judge func(lost []string)) {
	t.Helper()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	said := newTraffic()
	folder := t.TempDir()
	for round := range cuts {
		disk := powercut.Mount(t, powercut.Options{From: folder, Latency: syncTakes})
		p := start(t, disk.Path())
		disk.Sync()
		after := random.IntN(moments)
		said.run(t, p, disk, round, after)
		folder = t.TempDir()
		require.NoError(t, disk.Survivors(folder))
		p = start(t, folder)
		lost, all := said.missing(t, p)
		p.kill()
		t.Logf("cut %d, after %d changes: %d of %d answered are lost", round+1, after, len(lost), all)
		require.NotZero(t, all, "nothing was answered before the cut")
		judge(lost)
	}
}

// kill ends everything at once.
func (p powered) kill() {
	for _, one := range p.processes {
		one.kill()
	}
}

// spokeUp is everything in one process, the vendors too, as a user starts it.
func spokeUp(t *testing.T, folder string) powered {
	t.Helper()
	address := freeAddress(t)
	p := start(t, program(t, spoke), nil, "up", "--demo", "--data", folder, "--listen", address)
	var found node.Running
	await(t, "spoke up is ready", func() bool {
		var err error
		found, err = node.Find(folder)
		return !p.running() || (err == nil && found.PID == p.cmd.Process.Pid)
	})
	require.True(t, p.running(), "spoke up has ended")
	return powered{ingest: "http://" + address, nats: found.URL, processes: []*process{p}}
}

// natsAndIngest are two processes. Only NATS has a disk, and syncs it as told.
func natsAndIngest(sync string) starter {
	return func(t *testing.T, folder string) powered {
		t.Helper()
		server, url := startNATSOn(t, tool(t, "nats-server"), folder, sync)
		address := freeAddress(t)
		boxes, err := demo.Open(demo.SandboxOptions{Log: discard()})
		require.NoError(t, err)
		t.Cleanup(boxes.Close)
		config := writeConfig(t, boxes.Config(t.TempDir(), address))
		env := []string{"SPOKE_NATS_URL=" + url, vault.EnvKey + "=" + newKey(t)}
		ingest := start(t, program(t, "ingest"), env, "-c", config)
		await(t, "ingest is ready", func() bool { return !ingest.running() || answers("http://"+address+"/readyz") })
		require.True(t, ingest.running(), "ingest has ended")
		return powered{ingest: "http://" + address, nats: url, processes: []*process{server, ingest}}
	}
}
