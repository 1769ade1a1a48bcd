package netsuite_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/services/connectors/netsuite"
)

// scripted is a connector on a server that answers queries by what they say.
func scripted(t testing.TB, answer func(q string) string) *bundle {
	t.Helper()
	return against(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/serverTime") {
			_, _ = w.Write([]byte(`{"serverTime":"2026-11-20T12:00:00Z"}`))
			return
		}
		var in struct {
			Q string `json:"q"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		_, _ = w.Write([]byte(answer(in.Q)))
	})
}

// against is a connector on a server of the test's own.
func against(t testing.TB, h http.HandlerFunc) *bundle {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	b := &bundle{server: server, settings: &netsuite.Settings{Account: "1234567", URL: server.URL, TBA: tba()}, wire: &recorder{}}
	t.Cleanup(b.wire.real.CloseIdleConnections)
	b.open(t, time.Now)
	return b
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
