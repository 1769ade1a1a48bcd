package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/embed"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/vault"
	"github.com/spoke-sync/spoke/services/spoke/cli"
)

// quickbooksSandbox runs Intuit and writes a configuration for it.
func quickbooksSandbox(t *testing.T, realm string) (box *quickbooksbox.Box, data, file string) {
	t.Helper()
	box, err := quickbooksbox.New(quickbooksbox.Options{RefreshToken: "nobody-has-this-one"})
	require.NoError(t, err)
	server := httptest.NewServer(box)
	t.Cleanup(func() { server.Close(); box.Close() })
	data = t.TempDir()
	file = filepath.Join(t.TempDir(), "spoke.yaml")
	text := fmt.Sprintf(`
data: %s
connections:
  books:
    kind: quickbooks
    settings:
      url: %[2]s
      token_url: %[2]s%[3]s
      authorize_url: %[2]s%[4]s
      realm_id: "%[5]s"
      client_id: %[6]s
      client_secret: literal:%[7]s
      income_account: Sales
  hub:
    kind: hubspot
    settings: {token: "literal:pat-12345678"}
`, data, server.URL, quickbooksbox.TokenPath, quickbooksbox.AuthorizePath, realm, quickbooksbox.DefaultClientID, quickbooksbox.DefaultClientSecret)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return box, data, file
}

// person reads what the command prints and does something with the page that
// it names. It returns what the browser sees at the end.
func person(out io.Reader, do func(page *url.URL) (*http.Response, error)) <-chan string {
	seen := make(chan string, 1)
	go func() {
		defer close(seen)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			text := strings.TrimSpace(lines.Text())
			page, err := url.Parse(text)
			if err != nil || !strings.HasPrefix(text, "http") {
				continue
			}
			resp, err := do(page)
			if err != nil {
				seen <- err.Error()
			} else {
				b, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				seen <- string(b)
			}
			break
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	return seen
}

func decide(decision string) func(*url.URL) (*http.Response, error) {
	return func(page *url.URL) (*http.Response, error) {
		shown, err := http.Get(page.String())
		if err != nil {
			return nil, err
		}
		_ = shown.Body.Close()
		return http.PostForm(page.String(), url.Values{"decision": {decision}})
	}
}

func connect(t *testing.T, file string, do func(*url.URL) (*http.Response, error), more ...string) (status int, seen, errw string) {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	r, w := io.Pipe()
	browser := person(r, do)
	var e strings.Builder
	args := append([]string{"connect", "books", "-c", file, "--port", "0", "--no-browser"}, more...)
	status = cli.Main(args, w, &e)
	_ = w.Close()
	return status, <-browser, e.String()
}

func TestConnectStopped(t *testing.T) {
	box, data, file := quickbooksSandbox(t, quickbooksbox.DefaultRealmID)
	status, seen, errw := connect(t, file, decide("connect"))
	require.Zero(t, status, errw)
	require.Contains(t, seen, "Spoke is connected")

	// Spoke finds the token where it keeps its own, encrypted.
	srv, err := embed.Start(embed.Options{Dir: data})
	require.NoError(t, err)
	defer srv.Stop()
	text := stored(t, bus.Options{InProcess: srv}, data)
	require.Contains(t, text, box.RefreshToken())
}

func TestConnectRunning(t *testing.T) {
	box, data, file := quickbooksSandbox(t, quickbooksbox.DefaultRealmID)
	srv, err := embed.Start(embed.Options{Dir: data, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	defer srv.Stop()
	running := fmt.Sprintf(`{"url":%q,"tenant":"main"}`, srv.URL())
	require.NoError(t, os.WriteFile(filepath.Join(data, "running.json"), []byte(running), 0o600))
	for range 2 { // connecting again replaces what was there
		status, _, errw := connect(t, file, decide("connect"))
		require.Zero(t, status, errw)
		require.Contains(t, stored(t, bus.Options{URL: srv.URL()}, data), box.RefreshToken())
	}
}

// stored is what the vault holds of the connection.
func stored(t *testing.T, o bus.Options, data string) string {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	b, err := bus.Connect(t.Context(), o)
	require.NoError(t, err)
	defer b.Close()
	key, err := vault.Key(data)
	require.NoError(t, err)
	v, err := vault.Open(t.Context(), b.JetStream(), bus.BucketTokens, key)
	require.NoError(t, err)
	text, _, err := v.Tokens("books").Load(t.Context())
	require.NoError(t, err)
	return text
}

var stateOf = regexp.MustCompile(`state=[^&]*`)

func TestConnectRefusals(t *testing.T) {
	t.Run("denied", func(t *testing.T) {
		_, _, file := quickbooksSandbox(t, quickbooksbox.DefaultRealmID)
		status, seen, errw := connect(t, file, decide("cancel"))
		require.Equal(t, 1, status)
		require.Contains(t, errw, "the consent was denied")
		require.Contains(t, errw, "press Connect")
		require.Contains(t, seen, "not connected")
	})
	t.Run("another company", func(t *testing.T) {
		box, _, file := quickbooksSandbox(t, "4620816365000000001")
		status, _, errw := connect(t, file, decide("connect"))
		require.Equal(t, 1, status)
		require.Contains(t, errw, "another company was chosen")
		require.Contains(t, errw, "realm_id")
		require.Zero(t, box.Counts().Calls["token"], "its code is not used")
	})
	t.Run("wrong state", func(t *testing.T) {
		box, _, file := quickbooksSandbox(t, quickbooksbox.DefaultRealmID)
		status, seen, errw := connect(t, file, func(page *url.URL) (*http.Response, error) {
			page.RawQuery = stateOf.ReplaceAllString(page.RawQuery, "state=forged")
			return decide("connect")(page)
		}, "--timeout", "1s")
		require.Equal(t, 1, status)
		require.Contains(t, seen, "another run of spoke connect")
		require.Contains(t, errw, "nobody agreed within 1s")
		require.Zero(t, box.Counts().Calls["token"])
	})
	t.Run("code refused", func(t *testing.T) {
		box, _, file := quickbooksSandbox(t, quickbooksbox.DefaultRealmID)
		status, _, errw := connect(t, file, func(page *url.URL) (*http.Response, error) {
			q := page.Query()
			back := q.Get("redirect_uri") + "?code=made-up&realmId=" + quickbooksbox.DefaultRealmID + "&state=" + q.Get("state")
			return http.Get(back)
		})
		require.Equal(t, 1, status)
		require.Contains(t, errw, "invalid_grant")
		require.Equal(t, 1, box.Counts().Calls["token"])
	})
	t.Run("nobody comes", func(t *testing.T) {
		_, _, file := quickbooksSandbox(t, quickbooksbox.DefaultRealmID)
		began := time.Now()
		status, _, errw := connect(t, file, func(*url.URL) (*http.Response, error) { return nil, io.EOF }, "--timeout", "100ms")
		require.Equal(t, 1, status)
		require.Contains(t, errw, "nobody agreed within 100ms")
		require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
	})
	t.Run("no such connection", func(t *testing.T) {
		_, _, file := quickbooksSandbox(t, quickbooksbox.DefaultRealmID)
		status, _, errw := spoke("connect", "ledger", "-c", file)
		require.Equal(t, 1, status)
		require.Contains(t, errw, `no connection is named "ledger"`)
		status, _, errw = spoke("connect", "hub", "-c", file)
		require.Equal(t, 1, status)
		require.Contains(t, errw, "enter its credentials in the settings")
	})
}
