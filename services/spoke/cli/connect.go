package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/vault"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

type connectCmd struct {
	Connection string        `arg:"" help:"Name of the connection in the configuration."`
	Config     string        `short:"c" default:"spoke.yaml" help:"Configuration file."`
	Port       int           `default:"8765" help:"Port on 127.0.0.1 to which the browser is sent back."`
	Redirect   string        `help:"Address that the vendor sends the browser to, where it is not http://127.0.0.1:<port>/callback: one that is forwarded there."`
	Browser    bool          `default:"true" negatable:"" help:"Open the vendor's page in a browser."`
	Timeout    time.Duration `default:"5m" help:"How long to wait for the consent."`
}

const callbackPath = "/callback"

// Run implements the command.
func (c *connectCmd) Run(s *session) error {
	cfg, err := config.Load(c.Config, catalog.Kinds())
	if err != nil {
		return err
	}
	if _, ok := cfg.Connections[c.Connection]; !ok {
		return fmt.Errorf("no connection is named %q in %s", c.Connection, c.Config)
	}
	kind := cfg.Kind(c.Connection)
	if kind.Consent == nil {
		return fmt.Errorf("%s is not connected in this way: enter its credentials in the settings of connection %s", kind.Title, c.Connection)
	}
	// The store is opened first: a consent that can't be kept is of no use.
	st, err := openTokens(s.ctx, cfg, c.Connection)
	if err != nil {
		return err
	}
	defer st.close()
	consent, err := kind.Consent(cfg.Settings(c.Connection), connector.Deps{
		Connection: c.Connection, Tenant: cfg.Tenant, Log: slog.New(slog.DiscardHandler),
		HTTP: rest.NewHTTP(rest.NewTransport()), Now: time.Now, Tokens: st.tokens,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, c.Timeout)
	defer cancel()
	name, err := c.dance(ctx, s, kind, consent)
	if err != nil {
		if hint := fault.As(err).Hint; hint != "" {
			return fmt.Errorf("%w\n  %s", err, hint)
		}
		return err
	}
	s.printf("connected %s to %s (%s)\n", c.Connection, kind.Title, name)
	return nil
}

// dance shows the vendor's page, waits for the browser to come back, and
// completes the consent before it answers the browser.
func (c *connectCmd) dance(ctx context.Context, s *session, kind connector.Kind, consent connector.Consent) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return "", fmt.Errorf("listen for the browser: %w\nchoose another port with --port", err)
	}
	redirect := c.Redirect
	if redirect == "" {
		redirect = "http://" + l.Addr().String() + callbackPath
	}
	cb := &callback{
		state: rand.Text(), done: make(chan answered, 1),
		complete: func(answer url.Values) (string, error) { return consent.Complete(ctx, redirect, answer) },
	}
	server := &http.Server{Handler: cb.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(stop) != nil {
			_ = server.Close()
		}
	}()
	page := consent.URL(redirect, cb.state)
	s.printf("Open this page and let Spoke into %s:\n\n  %s\n\nThe browser is sent back to %s\n", kind.Title, page, redirect)
	if c.Browser {
		openBrowser(ctx, page)
	}
	select {
	case a := <-cb.done:
		return a.name, a.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("nobody agreed within %s: run the command again", c.Timeout)
		}
		return "", ctx.Err()
	}
}

// callback takes the browser's return.
type callback struct {
	state    string
	complete func(url.Values) (string, error)
	done     chan answered
}

type answered struct {
	name string
	err  error
}

func (c *callback) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, c.serve)
	return mux
}

// serve ignores a call with another state: it was not us who sent that browser
// away, and who did could make Spoke write into a company of theirs.
func (c *callback) serve(w http.ResponseWriter, r *http.Request) {
	answer := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(c.state)) != 1 {
		http.Error(w, "This page belongs to another run of spoke connect. Use the address that the running one printed.", http.StatusBadRequest)
		return
	}
	name, err := c.complete(answer)
	select {
	case c.done <- answered{name, err}:
	default: // the page was loaded again after it was done with
	}
	if err != nil {
		http.Error(w, "Spoke is not connected. The terminal says why; you can close this page.", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, "Spoke is connected. You can close this page.")
}

// openBrowser tries to; the page was printed for who has none here.
func openBrowser(ctx context.Context, page string) {
	name, args := "xdg-open", []string{page}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", page}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...) //nolint:gosec // our own page's address
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}

// tokenStore is a connection's credentials in a running or stopped Spoke.
type tokenStore struct {
	tokens connector.TokenStore
	close  func()
}

// openTokens reaches the configured NATS server, the running spoke up, or the
// data folder of one that is stopped or never ran.
func openTokens(ctx context.Context, cfg *config.Config, connection string) (*tokenStore, error) {
	key, err := vault.Key(cfg.Data)
	if err != nil {
		return nil, err
	}
	st, err := openBus(ctx, cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, provisionLimit)
	defer cancel()
	topology := bus.NewTopology(bus.TopologyOptions{
		Tenant: cfg.Tenant, Connections: cfg.ConnectionNames(), Replicas: cfg.NATS.Replicas,
	})
	err = st.bus.Provision(ctx, topology)
	var v *vault.Vault
	if err == nil {
		v, err = vault.Open(ctx, st.bus.JetStream(), bus.BucketTokens, key)
	}
	if err != nil {
		st.close()
		return nil, err
	}
	return &tokenStore{tokens: v.Tokens(connection), close: st.close}, nil
}

const provisionLimit = 30 * time.Second

func openBus(ctx context.Context, cfg *config.Config) (*store, error) {
	w := where{Data: cfg.Data}
	if cfg.NATS.URL != "" {
		return w.dial(ctx, bus.Options{URL: cfg.NATS.URL, Credentials: cfg.NATS.Credentials}, node.Running{Tenant: cfg.Tenant})
	}
	srv, err := embed.Start(embed.Options{Dir: cfg.Data})
	if errors.Is(err, embed.ErrLocked) {
		return w.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	st, err := w.dial(ctx, bus.Options{InProcess: srv}, node.Running{Tenant: cfg.Tenant})
	if err != nil {
		srv.Stop()
		return nil, err
	}
	st.close = func() { st.bus.Close(); srv.Stop() }
	return st, nil
}
