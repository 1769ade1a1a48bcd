package torture

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// wire is a connection that can be cut and slowed: a toxiproxy in this process.
type wire struct {
	proxy *toxiproxy.Proxy
	mu    sync.Mutex // one trouble at a time
}

// newWire starts a proxy on a free loopback port.
func newWire(name, upstream string) (*wire, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("torture: proxy %s: %w", name, err)
	}
	return &wire{proxy: p}, nil
}

func (w *wire) address() string { return w.proxy.Listen }

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proxy.Stop()
}

// cut breaks every connection and refuses new ones for a while.
func (w *wire) cut(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proxy.Stop()
	pause(ctx, d)
	return w.proxy.Start()
}

// slow delays what comes back for a while.
func (w *wire) slow(ctx context.Context, latency, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	toxic := fmt.Sprintf(`{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":%d,"jitter":%d}}`,
		latency.Milliseconds(), latency.Milliseconds()/2)
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		return err
	}
	pause(ctx, d)
	return w.proxy.Toxics.RemoveToxic(context.WithoutCancel(ctx), "slow")
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
