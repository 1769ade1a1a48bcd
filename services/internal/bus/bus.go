// Package bus is Spoke's use of NATS JetStream: the topology as data, group
// commit of concurrent publishes, atomic batches with compare-and-set, reads
// of the table behind a stream, and pulled batches with explicit acks.
//
// It knows nothing of connectors or mappings.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bus is a connection to JetStream.
type Bus struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	log *slog.Logger

	closed chan struct{}
	close  func()
}

// requestTimeout bounds one JetStream request. A batch of 1,000 messages
// waits for one fsync, which takes milliseconds; the rest is for bad days.
const requestTimeout = 10 * time.Second

// Options of Connect.
type Options struct {
	// URL of the server or cluster. Ignored when InProcess is set.
	URL string
	// Name shows in the server's connection list.
	Name string
	// InProcess connects to an embedded server without a socket.
	InProcess nats.InProcessConnProvider
	// Credentials is a NATS credentials file; empty for none.
	Credentials string
	Log         *slog.Logger
}

// Connect returns a connected Bus. With a URL it keeps trying until ctx ends,
// so that services may start before their server.
//
// A publish while disconnected fails at once instead of being buffered: a
// buffered message would be sent later although its caller was told that it
// failed (rule 1).
func Connect(ctx context.Context, o Options) (*Bus, error) {
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Log.Error("nats", "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn("nats: disconnected", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Log.Info("nats: reconnected") }),
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	if o.Credentials != "" {
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	nc, err := dial(ctx, o, opts)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("bus: %w", err)
	}
	b := &Bus{nc: nc, js: js, log: o.Log, closed: make(chan struct{})}
	b.close = sync.OnceFunc(func() { close(b.closed) })
	return b, nil
}

func dial(ctx context.Context, o Options, opts []nats.Option) (*nats.Conn, error) {
	for first := true; ; first = false {
		nc, err := nats.Connect(o.URL, opts...)
		if err == nil {
			return nc, nil
		}
		var malformed *url.Error // repeats what it could not read
		if errors.As(err, &malformed) {
			return nil, fmt.Errorf("bus: connect: the server's address can't be read: want nats://host:port")
		}
		if errors.Is(err, nats.ErrAuthorization) || o.InProcess != nil {
			return nil, fmt.Errorf("bus: connect to %s: %w", hosts(o.URL), err)
		}
		if first {
			o.Log.Warn("nats: not reachable yet, trying on", "server", hosts(o.URL), "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("bus: connect to %s: %w", hosts(o.URL), err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// hosts returns the servers of an address, without the token or password that
// may stand before them.
func hosts(address string) string {
	servers := strings.Split(address, ",")
	for i, s := range servers {
		s = s[strings.LastIndex(s, "@")+1:]
		if _, host, ok := strings.Cut(s, "://"); ok {
			s = host
		}
		servers[i] = s
	}
	return strings.Join(servers, ",")
}

// JetStream returns the API handle, for key-value buckets and tests.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// Conn returns the connection, for what is no JetStream business.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// Close ends the connection. Consumers and publishers are stopped before.
func (b *Bus) Close() {
	b.close()
	b.nc.Close()
}
