package sandbox_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// TestLoseCreates: what every second call makes stands, and its caller does not
// hear of it; calls that make nothing, or something else, are answered.
func TestLoseCreates(t *testing.T) {
	t.Parallel()
	s := sandbox.New("vendor", slog.New(slog.DiscardHandler), nil)
	s.Handle("make", "POST /make/{what}/{key}", func(w http.ResponseWriter, r *http.Request) {
		for _, key := range strings.Split(r.PathValue("key"), ",") {
			s.Effect(r.PathValue("what"), key)
		}
		_, _ = io.WriteString(w, "made "+r.PathValue("key"))
	})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	call := func(what, key string) (answered bool) {
		resp, err := server.Client().Post(server.URL+"/make/"+url.PathEscape(what)+"/"+key, "", http.NoBody)
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		return err == nil && string(text) == "made "+key
	}
	s.LoseCreates(2, "customer created", "item created")
	got := []bool{
		call("customer created", "1"), call("customer updated", "1"), call("item created", "2,3"),
		call("customer updated", "1"), call("customer created", "4"), call("customer created", "5"),
	}
	require.Equal(t, []bool{true, true, false, true, true, false}, got)
	require.Equal(t, map[string]int{"customer created": 1, "item created": 2}, s.LostCreates())
	require.Equal(t, map[string]int{"1": 1, "4": 1, "5": 1}, s.Counts().Effects["customer created"], "all of it stands")
	s.LoseCreates(0)
	require.True(t, call("customer created", "6"))
	require.True(t, call("customer created", "7"))
	require.Equal(t, map[string]int{"customer created": 1, "item created": 2}, s.LostCreates())
}
