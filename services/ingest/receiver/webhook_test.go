package receiver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/receiver"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

const delivery = `[{"event":"evt_1","id":"cus_1","name":"Acme"},{"event":"evt_2","id":"cus_2","name":"Ütz & Co"}]`

func TestWebhookIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	resp, _ := b.call(hook(delivery, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ce-id", "forged", "X-Secret", "s3cret"))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 2, b.count())

	m, e := b.message(2)
	require.Equal(t, "events.main.stripe.company.changed.cus_2", m.Subject)
	require.Equal(t, "evt_2", e.ID)
	require.Equal(t, "/connections/stripe", e.Source)
	require.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", e.TraceParent)
	c, err := e.Change()
	require.NoError(t, err)
	require.Equal(t, "Ütz & Co", c.Fields.Text("name"))
	require.Equal(t, noon, c.At)
	for name := range m.Header { // rule 10: only what Spoke sets itself
		require.True(t, strings.HasPrefix(name, "Nats-") || map[string]bool{
			"Content-Type": true, "ce-id": true, "ce-type": true, "ce-source": true, "traceparent": true,
		}[name], name)
	}
	require.Equal(t, "evt_2", m.Header["ce-id"][0])

	d := b.hooks.delivery()
	require.Equal(t, "https://spoke.example/in/webhooks/stripe?a=%2F&b", d.URL, "as the vendor called it")
	require.Equal(t, http.MethodPost, d.Method)
	require.True(t, bytes.Equal([]byte(delivery), d.Body), "the bytes as they came")
	require.Equal(t, noon, d.Received)
	require.Equal(t, 1, b.metric("spoke_ingest_requests_total", "connection", "stripe", "code", "stored"))
	require.Equal(t, 2, b.metric("spoke_ingest_events_total", "connection", "stripe", "result", "stored"))
}

func TestWebhookURLWithoutPublicURL(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config, _ *receiver.Deps) { c.PublicURL = "" })
	req := hook(delivery)
	req.Host = "hooks.example:8443"
	resp, _ := b.call(req)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "http://hooks.example:8443/webhooks/stripe?a=%2F&b", b.hooks.delivery().URL)
}

func TestWebhookWithNothingOfUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	resp, _ := b.call(hook(`[]`))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Zero(t, b.count())
}

// TestWebhookOfWhatIsPolled: what is not listened to is taken, left out and
// counted; the rest of the delivery is stored.
func TestWebhookOfWhatIsPolled(t *testing.T) {
	t.Parallel()
	var asked []events.Op
	b := setup(t, func(_ *receiver.Config, d *receiver.Deps) {
		d.Hears = func(connection string, e events.Entity, op events.Op) bool {
			asked = append(asked, op)
			return connection != "stripe" || e != events.EntityCompany || len(asked) > 1
		}
	})
	resp, _ := b.call(hook(delivery))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 1, b.count())
	_, e := b.message(1)
	require.Equal(t, "evt_2", e.ID)
	require.Equal(t, []events.Op{events.OpChanged, events.OpChanged}, asked)
	require.Equal(t, 1, b.metric("spoke_ingest_events_total", "connection", "stripe", "result", "left out"))
}

// A genuine webhook that can't be read is kept and answered, so that it holds
// up nothing that its vendor has to say after it.
func TestWebhookThatCannotBeReadIsSetApart(t *testing.T) {
	t.Parallel()
	var kept []bus.Message
	broken := errors.New("the store is down")
	var down error
	b := setup(t, func(_ *receiver.Config, d *receiver.Deps) {
		d.Apart = func(_ context.Context, m bus.Message) error {
			if down != nil {
				return down
			}
			kept = append(kept, m)
			return nil
		}
	})
	poison := []string{`{`, `{"not":"a list"}`, strings.Repeat("\x00", 300<<10)}
	for i, body := range poison {
		resp, _ := b.call(hook(body))
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Len(t, kept, i+1)
		var q events.Quarantined
		require.NoError(t, json.Unmarshal(kept[i].Data, &q))
		require.Equal(t, []string{"ingest", "stripe", "malformed", "[0].id"}, []string{q.Service, q.Connection, q.Problem.Kind, q.Problem.Field})
		require.NotEmpty(t, q.Problem.Hint)
		require.LessOrEqual(t, len(kept[i].Data), 1<<20)
	}
	require.JSONEq(t, `"{"`, string(original(t, kept[0])))
	require.JSONEq(t, poison[1], string(original(t, kept[1])))
	require.NotEqual(t, kept[0].Subject, kept[1].Subject)
	require.Zero(t, b.count())
	require.Equal(t, 3, b.metric("spoke_ingest_events_total", "connection", "stripe", "result", "set apart"))

	resp, _ := b.call(hook(poison[0])) // delivered again it takes the same place
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, kept[0].Subject, kept[3].Subject)

	down = broken
	resp, _ = b.call(hook(poison[0]))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, "what is not kept is asked for again")
	resp, _ = b.call(hook(`{`, "X-Signature", "aa"))
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "only who signs may fill the quarantine")
}

func original(t *testing.T, m bus.Message) json.RawMessage {
	t.Helper()
	var q events.Quarantined
	require.NoError(t, json.Unmarshal(m.Data, &q))
	return q.Original
}

func TestWebhookRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config, _ *receiver.Deps) { c.MaxBody = 4 << 10 })
	large := strings.Repeat("x", 4<<10+1)
	chunked := hook(large)
	chunked.ContentLength = -1
	get := hook(delivery)
	get.Method = http.MethodGet
	for name, tc := range map[string]struct {
		req    *http.Request
		status int
		code   string
		detail string
	}{
		"forged":             {hook(delivery, "X-Signature", "aa"), 401, "unauthorized", "toy: webhook: the signature is wrong"},
		"missing":            {hook(delivery, "X-Signature", ""), 401, "unauthorized", "toy: webhook: the signature is missing"},
		"stale":              {hook(delivery, "X-Signature", "stale"), 401, "unauthorized", "toy: webhook: the signature is older than 5 minutes"},
		"signature no hex":   {hook(delivery, "X-Signature", "broken"), 400, "malformed", "toy: webhook: the signature is no hex"},
		"malformed":          {hook(`{`), 400, "malformed", "toy: webhook: no list of changes (field [0].id)"},
		"unknown connection": {post("/webhooks/nobody", delivery), 404, "not_found", "no connection of this name takes webhooks"},
		"takes no webhooks":  {post("/webhooks/silent", delivery), 404, "not_found", "no connection of this name takes webhooks"},
		"no connection":      {post("/webhooks/", delivery), 404, "not_found", "there is nothing at this path"},
		"other path":         {post("/", delivery), 404, "not_found", "there is nothing at this path"},
		"get":                {get, 405, "method_not_allowed", "use POST"},
		"too large":          {hook(large), 413, "too_large", "the body is too large"},
		"too large, chunked": {chunked, 413, "too_large", "the body is too large"},
		"compressed":         {hook(delivery, "Content-Encoding", "gzip"), 415, "unsupported_media_type", "the body is compressed"},
		"our settings":       {hook(delivery, "X-Signature", "misconfigured"), 500, "internal", "this is a bug in Spoke, or in the settings of the connection"},
		"connector panics":   {hook("panic"), 500, "internal", "this is a bug in Spoke"},
		"event of no object": {hook(`[{"event":"e"}]`), 500, "internal", "this is a bug in Spoke"},
		"keys unreachable":   {hook(delivery, "X-Signature", "unreachable"), 503, "unavailable", "toy: webhook: the keys can't be fetched"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, p := b.call(tc.req)
			require.Equal(t, tc.status, resp.StatusCode)
			require.Equal(t, tc.code, p.Code)
			require.Equal(t, tc.detail, p.Detail)
			require.Equal(t, tc.status == 503, resp.Header.Get("Retry-After") != "")
			require.Equal(t, tc.status == 405, resp.Header.Get("Allow") == "POST")
			require.Zero(t, b.count(), "a refused request leaves nothing behind")
		})
	}
	_, p := b.call(hook(`{`))
	require.Equal(t, "[0].id", p.Field)
	require.Equal(t, "send JSON", p.Hint)
	require.Equal(t, 3, b.metric("spoke_ingest_requests_total", "connection", "stripe", "code", "unauthorized"))
	require.Equal(t, 2, b.metric("spoke_ingest_requests_total", "connection", "unknown", "code", "not_found"))
	require.Zero(t, b.metric("spoke_ingest_requests_total", "connection", "nobody"), "callers can't make up labels")
}

func TestRepeatIsStoredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 3 {
		resp, _ := b.call(hook(delivery))
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	require.EqualValues(t, 2, b.count())
	require.Equal(t, 4, b.metric("spoke_ingest_events_total", "connection", "stripe", "result", "repeated"))

	// Part of a delivery may be new, and one delivery may hold an event twice.
	resp, _ := b.call(hook(`[{"event":"evt_2","id":"cus_2","name":"Ütz & Co"},{"event":"evt_3","id":"c"},{"event":"evt_3","id":"c"}]`))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 3, b.count())

	// An id that a vendor uses twice for two things must not cost an event.
	resp, _ = b.call(hook(`[{"event":"evt_1","id":"cus_1","name":"Other"}]`))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 4, b.count())
}

func TestRefusedIsNotRemembered(t *testing.T) {
	t.Parallel()
	broken := &switchable{err: errors.New("disk on fire")}
	b := setup(t, func(_ *receiver.Config, d *receiver.Deps) { broken.Publisher, d.Publisher = d.Publisher, broken })
	resp, _ := b.call(hook(delivery))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	broken.err = nil
	resp, _ = b.call(hook(delivery))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 2, b.count())
}

// switchable fails while err is set.
type switchable struct {
	receiver.Publisher
	err error
}

func (s *switchable) Publish(ctx context.Context, msgs ...bus.Message) error {
	if s.err != nil {
		return s.err
	}
	return s.Publisher.Publish(ctx, msgs...)
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err         error
		code, after string
	}{
		"full":         {fmt.Errorf("x: %w", bus.ErrFull), "store_full", "30"},
		"busy":         {bus.ErrBusy, "busy", "1"},
		"closed":       {bus.ErrClosed, "unavailable", "2"},
		"timeout":      {context.DeadlineExceeded, "unavailable", "2"},
		"disconnected": {nats.ErrConnectionClosed, "unavailable", "2"},
		"unknown":      {errors.New("no idea"), "unavailable", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(_ *receiver.Config, d *receiver.Deps) { d.Publisher = failing{tc.err} })
			resp, p := b.call(hook(delivery))
			require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
			require.Equal(t, tc.code, p.Code)
			require.Equal(t, tc.after, resp.Header.Get("Retry-After"))
			require.NotContains(t, p.Detail, tc.err.Error(), "what is wrong inside is not for callers")
			require.Equal(t, 1, b.metric("spoke_ingest_requests_total", "connection", "stripe", "code", tc.code))
			require.Zero(t, b.metric("spoke_ingest_events_total"))
		})
	}
}

// A full stream refuses instead of dropping old events; callers are told to
// come back.
func TestStreamIsFull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stream, err := b.bus.JetStream().Stream(t.Context(), events.StreamEvents)
	require.NoError(t, err)
	config := stream.CachedInfo().Config
	config.MaxBytes = 8 << 10
	_, err = b.bus.JetStream().UpdateStream(t.Context(), config)
	require.NoError(t, err)

	stored := 0
	full := map[int]bool{}
	for i := range 30 {
		body := fmt.Sprintf(`[{"event":"e%d","id":"1","name":%q}]`, i, strings.Repeat("x", 500))
		size := 1
		if i%2 == 1 { // batches and lone messages take different ways
			body = fmt.Sprintf(`[{"event":"e%d","id":"1","name":%q},{"event":"f%d","id":"1"}]`, i, strings.Repeat("x", 500), i)
			size = 2
		}
		resp, p := b.call(hook(body))
		if resp.StatusCode == http.StatusOK {
			stored += size
			continue
		}
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Equal(t, "store_full", p.Code)
		full[size] = true
	}
	require.Equal(t, map[int]bool{1: true, 2: true}, full)
	require.Positive(t, stored)
	require.EqualValues(t, stored, b.count(), "what was accepted is there, what was refused is not")
}

func TestServerIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.server.Shutdown()
	require.Eventually(t, func() bool { return !b.bus.Conn().IsConnected() }, waitLimit, waitStep)
	resp, p := b.call(hook(delivery))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "unavailable", p.Code)
	resp, _ = b.call(httptest.NewRequest(http.MethodGet, "/readyz", nil))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	resp, _ = b.call(httptest.NewRequest(http.MethodGet, "/healthz", nil))
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// A delivery of more than one atomic batch is stored in parts.
func TestWebhookOfManyEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var body strings.Builder
	for i := range receiver.MaxEvents + 5 {
		fmt.Fprintf(&body, `,{"event":"e%d","id":"1"}`, i)
	}
	resp, _ := b.call(hook("[" + body.String()[1:] + "]"))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, receiver.MaxEvents+5, b.count())
}

func TestEventIsTooLargeForTheServer(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config, _ *receiver.Deps) { c.MaxMessage = 6 << 10 })
	body := fmt.Sprintf(`[{"event":"a","id":"1"},{"event":"b","id":"2","name":%q}]`, strings.Repeat("x", 3000))
	resp, p := b.call(hook(body))
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.Equal(t, 1, *p.Index)
	require.Zero(t, b.count())
}
