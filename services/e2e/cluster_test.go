package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/vault"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// cluster is Spoke as it runs in production: a NATS server and a process per
// service. Only the vendors are not real.
type cluster struct {
	t        *testing.T
	boxes    *demo.Sandboxes
	data     string
	ingest   string // base URL
	env      []string
	config   string
	services map[string]*service
}

// service is one of Spoke's, with the address of its health.
type service struct {
	*process
	address string
	env     []string
}

// newCluster starts everything and waits until all of it is ready. tracing is
// what the processes are told about it.
func newCluster(t *testing.T, tracing ...string) *cluster {
	t.Helper()
	server := startNATS(t, tool(t, "nats-server"))
	address := freeAddress(t)
	boxes, err := demo.Open(demo.SandboxOptions{Ingest: "http://" + address, Log: discard()})
	require.NoError(t, err)
	t.Cleanup(boxes.Close)
	c := &cluster{
		t: t, boxes: boxes, data: t.TempDir(), ingest: "http://" + address, services: map[string]*service{},
		env: append([]string{"SPOKE_NATS_URL=" + server, vault.EnvKey + "=" + newKey(t)}, tracing...),
	}
	c.config = writeConfig(t, boxes.Config(c.data, address))
	for _, name := range standalone() {
		s := &service{address: freeAddress(t)}
		s.env = append(c.env, "SPOKE_METRICS_LISTEN="+s.address)
		if name == "ingest" {
			s.address = address // serves its health itself
		}
		c.services[name] = s
		c.start(name)
	}
	for _, name := range standalone() {
		c.ready(name)
	}
	t.Cleanup(c.explain)
	return c
}

// explain shows where everything stands when the test has failed.
func (c *cluster) explain() {
	if !c.t.Failed() {
		return
	}
	for _, args := range [][]string{{"status"}, {"record", "deal/" + firstDeal}} {
		cmd := exec.Command(program(c.t, spoke), append(args, "-c", c.config)...)
		cmd.Env = append(os.Environ(), c.env...)
		out, err := cmd.CombinedOutput()
		c.t.Logf("spoke %v: %v\n%s", args, err, out)
	}
}

// start starts a service, again after it was killed.
func (c *cluster) start(name string) {
	c.t.Helper()
	s := c.services[name]
	s.process = start(c.t, program(c.t, name), s.env, "-c", c.config)
}

// ready waits until a service takes work.
func (c *cluster) ready(name string) {
	c.t.Helper()
	s := c.services[name]
	await(c.t, name+" is ready", func() bool { return !s.running() || answers("http://"+s.address+"/readyz") })
	require.True(c.t, s.running(), name+" has ended")
}

// startNATS starts a server that has everything on disk before it says so,
// and returns its URL.
func startNATS(t *testing.T, path string) string {
	t.Helper()
	_, url := startNATSOn(t, path, t.TempDir(), "always")
	return url
}

// startNATSOn starts a server on a folder, which may be that of an earlier
// one. sync is its sync_interval.
func startNATSOn(t *testing.T, path, dir, sync string) (p *process, url string) {
	t.Helper()
	address, monitor := freeAddress(t), freeAddress(t)
	file := filepath.Join(t.TempDir(), "nats.conf")
	text := fmt.Sprintf("listen: %s\nhttp: %s\njetstream {\n  store_dir: %q\n  sync_interval: %s\n}\n", address, monitor, dir, sync)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	p = start(t, path, nil, "-c", file)
	await(t, "nats-server is ready", func() bool {
		return !p.running() || answers("http://"+monitor+"/healthz?js-enabled-only=true")
	})
	require.True(t, p.running(), "nats-server has ended")
	return p, "nats://" + address
}

func newKey(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(key)
}

// writeConfig writes spoke.yaml and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "spoke.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// answers reports whether a GET is answered with 200.
func answers(url string) bool {
	resp, err := client.Get(url)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
