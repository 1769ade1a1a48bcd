package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// Run runs services until ctx ends or one of them fails, and waits until all
// have stopped. ready is called once every service takes work.
func Run(ctx context.Context, e *Env, services []Service, ready func()) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var left atomic.Int64
	left.Store(int64(len(services)))
	var wg sync.WaitGroup
	errs := make([]error, len(services))
	for i, s := range services {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer stop()
			once := sync.OnceFunc(func() {
				if left.Add(-1) == 0 && ready != nil {
					ready()
				}
			})
			if err := s.Run(ctx, e, once); err != nil && ctx.Err() == nil {
				errs[i] = fmt.Errorf("%s: %w", s.Name, err)
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Main runs one service as a process of its own and returns the exit status.
// Arguments: -c FILE.
func Main(version string, s Service, kinds []connector.Kind) int {
	log, err := telemetry.NewLogger(os.Stderr, os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	file := "spoke.yaml"
	if len(os.Args) == 3 && os.Args[1] == "-c" {
		file = os.Args[2]
	} else if len(os.Args) != 1 {
		fmt.Fprintf(os.Stderr, "usage: %s [-c spoke.yaml]\n", s.Name)
		return 2
	}
	cfg, err := config.Load(file, kinds)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := Standalone(ctx, Options{Config: cfg, Log: log, Version: version, Name: s.Name}, s); err != nil {
		log.Error(s.Name+": stopped", "error", err)
		return 1
	}
	return 0
}

// Standalone runs one service with its own telemetry, health and metrics.
func Standalone(ctx context.Context, o Options, s Service) error {
	if o.Config.NATS.URL == "" && o.URL == "" && o.InProcess == nil {
		return fmt.Errorf("no NATS server: set nats.url in the configuration or SPOKE_NATS_URL; spoke up brings its own")
	}
	shutdown, err := telemetry.Setup(ctx, s.Name, o.Version)
	if err != nil {
		return err
	}
	defer flush(shutdown)
	e, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer e.Close()
	health, err := serveHealth(ctx, e, s.Name)
	if err != nil {
		return err
	}
	defer health.close()
	return Run(ctx, e, []Service{s}, func() {
		health.ready.Store(true)
		o.Log.Info(s.Name + ": ready")
	})
}

// flush sends the last spans, but does not hold the process up for long.
func flush(shutdown func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = shutdown(ctx) // a collector that is gone must not fail the stop
}

// health serves /healthz, /readyz and /metrics of a service that has no other
// HTTP side.
type health struct {
	ready  atomic.Bool
	server *http.Server
}

func serveHealth(ctx context.Context, e *Env, service string) (*health, error) {
	h := &health{}
	if service == IngestName { // serves its own
		return h, nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !h.ready.Load() || !e.Bus.Conn().IsConnected() {
			http.Error(w, "not connected to NATS", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	mux.Handle("GET /metrics", telemetry.Handler(e.Registry))
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	l, err := Listen(ctx, e.Config.HTTP.Metrics, "http.metrics")
	if err != nil {
		return nil, err
	}
	go func() { _ = h.server.Serve(l) }() // ends with close
	return h, nil
}

func (h *health) close() {
	if h.server != nil {
		_ = h.server.Close()
	}
}

// Listen opens an address, with an error that says what to do when it is
// taken. key is the setting to change.
func Listen(ctx context.Context, address, key string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: stop it, or choose another address with %s", address, key)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}
