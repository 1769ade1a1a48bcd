package receiver_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/receiver"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

func TestMain(m *testing.M) {
	// As telemetry.Setup does for every process.
	otel.SetTextMapPropagator(propagation.TraceContext{})
	goleak.VerifyTestMain(m)
}

const (
	token = "token-of-the-shop"
	shop  = "shop"
)

// noon is the clock of every test.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// bundle is a receiver before an embedded server.
type bundle struct {
	t        testing.TB
	bus      *bus.Bus
	server   *embed.Server
	group    *bus.Group
	receiver *receiver.Receiver
	registry *prometheus.Registry
	hooks    *hooks
}

type change func(*receiver.Config, *receiver.Deps)

func setup(t testing.TB, changes ...change) *bundle {
	t.Helper()
	server, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	log := slog.New(slog.DiscardHandler)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: server, Log: log})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "main", Replicas: 1})))
	group := bus.NewGroup(b)
	t.Cleanup(group.Close)

	made := &bundle{t: t, bus: b, server: server, group: group, registry: prometheus.NewRegistry(), hooks: &hooks{}}
	config := receiver.DefaultConfig()
	config.PublicURL = "https://spoke.example/in/"
	deps := receiver.Deps{
		Webhooks:  map[string]connector.Webhooks{"stripe": made.hooks, "silent": nil},
		Upstreams: []receiver.Upstream{{Name: "erp", Token: secret.New("another-token")}, {Name: shop, Token: secret.New(token)}},
		Publisher: group, Ready: receiver.BusReady(b), Registry: made.registry, Log: log,
		Now: func() time.Time { return noon },
	}
	for _, c := range changes {
		c(&config, &deps)
	}
	made.receiver, err = receiver.New(config, deps)
	require.NoError(t, err)
	return made
}

// count is the number of messages on EVENTS.
func (b *bundle) count() uint64 {
	b.t.Helper()
	stream, err := b.bus.JetStream().Stream(b.t.Context(), events.StreamEvents)
	require.NoError(b.t, err)
	info, err := stream.Info(b.t.Context())
	require.NoError(b.t, err)
	return info.State.Msgs
}

// message returns the stored message with a sequence, and its event.
func (b *bundle) message(seq uint64) (*jetstream.RawStreamMsg, events.Event) {
	b.t.Helper()
	stream, err := b.bus.JetStream().Stream(b.t.Context(), events.StreamEvents)
	require.NoError(b.t, err)
	m, err := stream.GetMsg(b.t.Context(), seq)
	require.NoError(b.t, err)
	e, err := bus.DecodeEvent(bus.Stored{Data: m.Data})
	require.NoError(b.t, err)
	return m, e
}

// metric sums the samples of a counter whose labels include the given pairs.
func (b *bundle) metric(name string, pairs ...string) (sum int) {
	b.t.Helper()
	families, err := b.registry.Gather()
	require.NoError(b.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			match := f.GetName() == name
			for i := 0; i < len(pairs); i += 2 {
				match = match && labels[pairs[i]] == pairs[i+1]
			}
			if match {
				sum += int(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}

// problem is what a refused caller reads.
type problem struct {
	Type, Title, Detail, Instance, Code, Field, Hint string
	Status                                           int
	Index                                            *int
	Errors                                           []struct{ Field, Detail, Hint string }
}

// call sends one request and reads the problem, if there is one.
func (b *bundle) call(req *http.Request) (*http.Response, problem) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.receiver.ServeHTTP(w, req)
	resp := w.Result()
	var p problem
	if resp.StatusCode >= 400 {
		require.Equal(b.t, "application/problem+json", resp.Header.Get("Content-Type"))
		require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &p), w.Body.String())
		require.Equal(b.t, resp.StatusCode, p.Status)
		require.Equal(b.t, "https://spoke-sync.github.io/problems/"+p.Code, p.Type)
		require.Equal(b.t, http.StatusText(p.Status), p.Title)
		require.Equal(b.t, req.URL.Path, p.Instance)
		require.NotEmpty(b.t, p.Detail)
	}
	return resp, p
}

func post(path, body string, headers ...string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader([]byte(body)))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// hook is a signed webhook.
func hook(body string, headers ...string) *http.Request {
	return post("/webhooks/stripe?a=%2F&b", body, append([]string{"X-Signature", sign(body)}, headers...)...)
}

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// hooks is the webhook side of a simple vendor: a list of changes, signed.
type hooks struct {
	mu   sync.Mutex
	last connector.Delivery
}

func (h *hooks) delivery() connector.Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

func (h *hooks) Verify(d connector.Delivery) error {
	h.mu.Lock()
	h.last = d
	h.mu.Unlock()
	switch d.Header.Get("X-Signature") {
	case "":
		return fault.New(fault.Unauthorized, "toy: webhook", "the signature is missing")
	case "stale":
		return fault.New(fault.Unauthorized, "toy: webhook", "the signature is older than 5 minutes").WithHint("check the clock")
	case "broken":
		return fault.New(fault.Malformed, "toy: webhook", "the signature is no hex")
	case "misconfigured":
		return io.ErrUnexpectedEOF
	case "unreachable":
		return fault.New(fault.Unavailable, "toy: webhook", "the keys can't be fetched")
	case sign(string(d.Body)):
		return nil
	}
	return fault.New(fault.Unauthorized, "toy: webhook", "the signature is wrong")
}

func (h *hooks) Decode(d connector.Delivery) ([]events.Event, error) {
	if string(d.Body) == "panic" {
		panic("a bug")
	}
	var said []struct{ Event, ID, Name string }
	if err := json.Unmarshal(d.Body, &said); err != nil {
		return nil, fault.New(fault.Malformed, "toy: webhook", "no list of changes").WithField("[0].id").WithHint("send JSON")
	}
	all := make([]events.Event, len(said))
	for i, s := range said {
		fields := events.Fields{}
		fields.Set("name", s.Name)
		all[i] = events.NewChange("stripe", s.Event, events.Change{
			Connection: "stripe", Entity: events.EntityCompany, Object: "customer", ID: s.ID, Op: events.OpChanged,
			At: d.Received, Fields: fields,
		})
		if s.ID == "" {
			all[i].Subject = ""
		}
	}
	return all, nil
}

// failing is a store that always fails.
type failing struct{ err error }

func (f failing) Publish(context.Context, ...bus.Message) error { return f.err }
