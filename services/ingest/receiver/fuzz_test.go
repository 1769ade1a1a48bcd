package receiver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/receiver"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// recording keeps what would have been stored.
type recording struct{ msgs []bus.Message }

func (r *recording) Publish(_ context.Context, msgs ...bus.Message) error {
	r.msgs = append(r.msgs, msgs...)
	return nil
}

func unserved(t testing.TB, p receiver.Publisher) *receiver.Receiver {
	r, err := receiver.New(receiver.DefaultConfig(), receiver.Deps{
		Upstreams: []receiver.Upstream{{Name: shop, Token: secret.New(token)}}, Publisher: p,
		Now: func() time.Time { return noon },
	})
	require.NoError(t, err)
	return r
}

// FuzzEvents posts anything in each mode: it is refused as the caller's fault,
// or every stored message is one that the rest of Spoke can read.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		order(), "[" + order() + "," + order(`"e1"`, `"e2"`) + "]", `[]`, `{}`, `null`, ``, `{"data_base64":1}`, "[" + order() + ",7]",
		order(`"A-7"`, `"\u0000"`), order("2026", "0000"), order("2026", "9999"), order("12.30", "1e30"), `{"number":"A-7"}`,
		order(`"specversion"`, `"traceparent":"00-11111111111111111111111111111111-2222222222222222-01","specversion"`),
	} {
		f.Add(structured, "order/1", []byte(seed))
		f.Add(batch, "1", []byte(seed))
		f.Add("application/json", "a%2", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, contentType, subject string, body []byte) {
		store := &recording{}
		req := postEvents(contentType, string(body), "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/s",
			"Ce-Type", "com.shop.order.changed.v1")
		req.Header["Ce-Subject"] = []string{subject}
		w := httptest.NewRecorder()
		unserved(t, store).ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			require.Contains(t, []int{400, 413, 415}, w.Code, w.Body.String())
			require.Empty(t, store.msgs)
			return
		}
		for _, m := range store.msgs {
			tokens, err := events.SubjectTokens(m.Subject)
			require.NoError(t, err)
			e, err := bus.DecodeEvent(bus.Stored{Data: m.Data})
			require.NoError(t, err)
			c, err := e.Change()
			require.NoError(t, err)
			require.Equal(t, []string{"events", "main", shop, string(c.Entity), string(c.Op), c.ID}, tokens)
			require.False(t, c.At.After(noon.Add(5*time.Minute)))
			require.Equal(t, c.At, e.Time)
			again := map[string]json.RawMessage{}
			for name, v := range c.Fields {
				if !strings.HasPrefix(name, "custom.") {
					again[name] = v
				}
			}
			_, err = events.Canonical(c.Entity, again)
			require.NoError(t, err)
			for _, values := range m.Header {
				for _, v := range values {
					require.False(t, strings.ContainsAny(v, "\r\n\x00"), "%q", v)
				}
			}
		}
	})
}
