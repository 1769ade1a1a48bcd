package receiver_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

const (
	structured = "application/cloudevents+json"
	batch      = "application/cloudevents-batch+json"
)

// order is one structured event; replace swaps texts in pairs.
func order(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"specversion":"1.0","id":"e1","source":"https://shop.example/orders",` +
		`"type":"com.shop.order.changed.v1","subject":"order/A-7","time":"2026-11-23T12:30:00+01:00","datacontenttype":"application/json",` +
		`"data":{"number":"A-7","total":{"amount":12.30,"currency":"eur"},"custom":{"channel":"web"}}}`)
}

func postEvents(contentType, body string, headers ...string) *http.Request {
	return post("/events", body, append([]string{"Content-Type", contentType, "Authorization", "Bearer " + token}, headers...)...)
}

// wanted is what order becomes on the stream.
func wanted() (events.Event, events.Change) {
	at := time.Date(2026, 11, 23, 11, 30, 0, 0, time.UTC)
	return events.Event{
		ID: "e1", Source: "/upstreams/shop", Type: "com.shop.order.changed.v1", Subject: "order/A-7", Time: at,
		DataSchema: events.SchemaBase + "change.v1.json", PartitionKey: "shop/order/A-7",
	}, events.Change{
		Connection: shop, Entity: events.EntityOrder, Object: "order", ID: "A-7", Op: events.OpChanged, At: at,
		Fields: events.Fields{
			"number": json.RawMessage(`"A-7"`), "total": json.RawMessage(`{"amount":"12.30","currency":"EUR"}`),
			"custom.channel": json.RawMessage(`"web"`),
		},
	}
}

func (b *bundle) requireStored(seq uint64, event events.Event, said events.Change) {
	b.t.Helper()
	_, got := b.message(seq)
	c, err := got.Change()
	require.NoError(b.t, err)
	require.Empty(b.t, cmp.Diff(said, c))
	got.Data = nil
	require.Empty(b.t, cmp.Diff(event, got))
}

func TestEventsInEachMode(t *testing.T) {
	t.Parallel()
	data := `{"number":"A-7","total":{"amount":12.30,"currency":"eur"},"custom":{"channel":"web"}}`
	encoded := order(`"data":`+data, `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(data))+`"`)
	for name, req := range map[string]*http.Request{
		"structured":         postEvents(structured, order()),
		"structured charset": postEvents(structured+"; charset=UTF-8", order()),
		"structured base64":  postEvents(structured, encoded),
		"batch":              postEvents(batch, "["+order()+"]"),
		"id alone":           postEvents(structured, order(`"order/A-7"`, `"A-7"`)),
		"no content type":    postEvents(structured, order(`"datacontenttype":"application/json",`, "")),
		"json suffix":        postEvents(structured, order(`application/json`, "application/vnd.shop+json; charset=utf-8")),
		"nulls":              postEvents(structured, order(`"specversion"`, `"dataschema":null,"myext":null,"specversion"`)),
		"extensions":         postEvents(structured, order(`"specversion"`, `"myext":"a","other1":5,"flag":true,"specversion"`)),
		"binary": postEvents("application/json", data, "ce-specversion", "1.0", "ce-id", "e1", "ce-source", "https://shop.example/orders",
			"ce-type", "com.shop.order.changed.v1", "ce-subject", "order%2FA-7", "ce-time", "2026-11-23T11:30:00Z", "ce-myext", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := httptest.NewRecorder()
			b.receiver.ServeHTTP(w, req)
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.JSONEq(t, `{"stored":1,"repeated":0}`, w.Body.String())
			require.EqualValues(t, 1, b.count())
			event, change := wanted()
			b.requireStored(1, event, change)
			m, _ := b.message(1)
			require.Equal(t, "events.main.shop.order.changed.A-7", m.Subject)
		})
	}
}

// What the CloudEvents SDK sends, in each of its modes, is understood.
func TestEventsFromTheSDK(t *testing.T) {
	t.Parallel()
	var sdk cloudevents.Event
	require.NoError(t, json.Unmarshal([]byte(order()), &sdk))
	requests := map[string]*http.Request{}
	for name, write := range map[string]func() (*http.Request, error){
		"binary": func() (*http.Request, error) {
			return cehttp.NewHTTPRequestFromEvent(t.Context(), "http://x/events", sdk)
		},
		"batch": func() (*http.Request, error) {
			return cehttp.NewHTTPRequestFromEvents(t.Context(), "http://x/events", []cloudevents.Event{sdk})
		},
		"structured": func() (*http.Request, error) {
			body, err := json.Marshal(sdk)
			if err != nil {
				return nil, err
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/events", bytes.NewReader(body))
			req.Header.Set("Content-Type", structured)
			return req, err
		},
	} {
		req, err := write()
		require.NoError(t, err)
		req.Header.Set("Authorization", "bearer "+token)
		requests[name] = req
	}
	for name, req := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			resp, p := b.call(req)
			require.Equal(t, http.StatusOK, resp.StatusCode, p.Detail)
			event, change := wanted()
			b.requireStored(1, event, change)
		})
	}
}

func TestBatchIsStoredInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	resp, _ := b.call(postEvents(batch, "["+order()+","+order(`"e1"`, `"e2"`, "order.changed", "order.deleted", `"data":`, `"data":null,"ignored":`)+"]"))
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, "an extension is no object")
	require.Zero(t, b.count())

	deleted := `{"specversion":"1.0","id":"e2","source":"/s","type":"com.shop.order.deleted.v1","subject":"order/A-7"}`
	restored := `{"specversion":"1.0","id":"e3","source":"/s","type":"com.shop.order.restored.v1","subject":"A-7","data":{"status":null}}`
	resp, _ = b.call(postEvents(batch, "["+order()+","+deleted+","+restored+"]"))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 3, b.count())
	event, change := wanted()
	b.requireStored(1, event, change)
	_, e := b.message(2)
	c, err := e.Change()
	require.NoError(t, err)
	require.Equal(t, events.OpDeleted, c.Op)
	require.Equal(t, noon, c.At, "an event without a time happens now")
	require.Empty(t, c.Fields)
	_, e = b.message(3)
	c, err = e.Change()
	require.NoError(t, err)
	require.Equal(t, events.OpRestored, c.Op)
	require.Equal(t, "null", string(c.Fields["status"]))

	resp, _ = b.call(postEvents(batch, "[]"))
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestEventRepeats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	untimed := order(`"time":"2026-11-23T12:30:00+01:00",`, "")
	for i, want := range []string{`{"stored":1,"repeated":0}`, `{"stored":0,"repeated":1}`} {
		w := httptest.NewRecorder()
		b.receiver.ServeHTTP(w, postEvents(structured, untimed))
		require.JSONEq(t, want, w.Body.String(), i)
	}
	w := httptest.NewRecorder()
	b.receiver.ServeHTTP(w, postEvents(batch, "["+untimed+","+order()+","+order()+"]"))
	require.JSONEq(t, `{"stored":1,"repeated":2}`, w.Body.String())
	require.EqualValues(t, 2, b.count())

	// Another upstream may use the same id.
	resp, _ := b.call(postEvents(structured, untimed, "Authorization", "Bearer another-token"))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 3, b.count())
	require.Equal(t, 3, b.metric("spoke_ingest_events_total", "connection", "shop", "result", "repeated"))
}

func TestEventClockAhead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, tc := range []struct {
		said string
		want time.Time
	}{
		{"2026-11-23T12:04:59Z", noon.Add(4*time.Minute + 59*time.Second)},
		{"2026-11-23T12:05:01Z", noon},
		{"9999-12-31T23:59:59-23:00", noon},
		{"1970-01-01T00:00:00Z", time.Unix(0, 0).UTC()},
	} {
		resp, p := b.call(postEvents(structured, order(`"e1"`, fmt.Sprintf(`"t%d"`, i), "2026-11-23T12:30:00+01:00", tc.said)))
		require.Equal(t, http.StatusOK, resp.StatusCode, p.Detail)
		_, e := b.message(uint64(i + 1))
		c, err := e.Change()
		require.NoError(t, err)
		require.Equal(t, tc.want, c.At)
		require.Equal(t, tc.want, e.Time)
	}
	require.Equal(t, 2, b.metric("spoke_ingest_clock_ahead_total", "connection", "shop"))
}

func TestEventTrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const began = "00-11111111111111111111111111111111-2222222222222222-01"
	const hop = "00-33333333333333333333333333333333-4444444444444444-01"
	resp, _ := b.call(postEvents(structured, order(`"specversion"`,
		`"traceparent":"`+began+`","tracestate":"a=b","partitionkey":"lane-1","specversion"`), "traceparent", hop))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	m, e := b.message(1)
	require.Equal(t, began, e.TraceParent, "the trace an event began in stays")
	require.Equal(t, "a=b", e.TraceState)
	require.Equal(t, "lane-1", e.PartitionKey)
	require.Equal(t, []string{hop}, m.Header["traceparent"])
	require.NotContains(t, m.Header, "tracestate")

	resp, _ = b.call(postEvents(structured, order(`"e1"`, `"e2"`, `"specversion"`, `"traceparent":"nonsense\r\nX: y","specversion"`), "traceparent", hop))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	_, e = b.message(2)
	require.Equal(t, hop, e.TraceParent, "one that is no trace is as good as none")
}
