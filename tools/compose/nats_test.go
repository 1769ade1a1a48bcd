package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The pinned nats-server itself says whether it accepts the configuration: a misspelt option is an
// error to it.
func TestNATSAcceptsItsConfiguration(t *testing.T) {
	t.Parallel()
	server := filepath.Join(os.Getenv("SPOKE_TEST_BIN"), "nats-server")
	if _, err := os.Stat(server); err != nil {
		t.Skip("no nats-server in SPOKE_TEST_BIN")
	}
	out, err := exec.CommandContext(t.Context(), server, "-t", "-c", abs(t, "deploy/nats.conf")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
