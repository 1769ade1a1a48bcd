package spec

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// binEnv names the folder of the programs that the test runner builds.
const binEnv = "SPOKE_TEST_BIN"

// stripeMock is a running stripe-mock. It knows every operation and parameter
// of Stripe's API, but keeps no state: what it answers means nothing, only
// whether it takes the request.
type stripeMock struct {
	base               string
	client             *http.Client
	requests, rejected atomic.Int64
}

// startStripeMock runs a stripe-mock on free loopback ports until the test
// ends, and then says how many requests it got.
func startStripeMock(t testing.TB) (*stripeMock, error) {
	t.Helper()
	program, err := stripeMockProgram()
	if err != nil {
		return nil, err
	}
	// Both addresses are named: a server of which only one is given listens on
	// every interface for the other.
	cmd := exec.CommandContext(t.Context(), program, "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0") //nolint:gosec // built by the test runner
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start stripe-mock: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start stripe-mock: %w", err)
	}
	m := &stripeMock{client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	lines := bufio.NewScanner(out)
	for m.base == "" && lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "Listening for HTTP at address: "); ok {
			m.base = "http://" + address
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, out)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait() // it was killed
		m.client.CloseIdleConnections()
		n, bad := int(m.requests.Load()), int(m.rejected.Load())
		line{Connector: "stripe", Mock: "stripe-mock", Requests: n, Rejected: bad}.write(t.Output())
		t.Logf("stripe-mock: %d requests, %d rejected", n, bad)
	})
	if m.base == "" {
		return nil, errors.New("start stripe-mock: it ended before it listened")
	}
	return m, nil
}

// stripeMockProgram finds what the test runner has built.
func stripeMockProgram() (string, error) {
	dir := os.Getenv(binEnv)
	if dir == "" {
		root, err := checkout()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, ".cache", "bin")
	}
	program := filepath.Join(dir, "stripe-mock")
	if _, err := os.Stat(program); err != nil { //nolint:gosec // whoever runs the tests says where
		return "", fmt.Errorf("stripe-mock is %w: run go run ./tools/check -deps", ErrAbsent)
	}
	return program, nil
}

// repeat makes the same request to stripe-mock and returns why it does not
// take it.
func (m *stripeMock) repeat(c Call) []string {
	target := url.URL{Path: c.Request.URL.Path, RawPath: c.Request.URL.RawPath, RawQuery: c.Request.URL.RawQuery}
	// The connector's own context may have ended already, on purpose.
	r, err := http.NewRequest(c.Request.Method, m.base+target.String(), bytes.NewReader(c.Body)) //nolint:noctx // see above; the client has a time-out
	if err != nil {
		return []string{inRequest("stripe-mock: %v", err)}
	}
	r.Header = c.Request.Header.Clone()
	m.requests.Add(1)
	resp, err := m.client.Do(r)
	if err != nil {
		m.rejected.Add(1)
		return []string{inRequest("stripe-mock: %v", err)}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	m.rejected.Add(1)
	var refusal struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(text, &refusal) // the status says it too
	message, _, _ := strings.Cut(refusal.Error.Message, "\n")
	return []string{inRequest("stripe-mock: %d: %s", resp.StatusCode, message)}
}
