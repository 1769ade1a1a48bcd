package quickbooks_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/connector"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// touch changes an object as a person does.
func touch(t testing.TB, box *quickbooksbox.Box, object, id string) bool {
	t.Helper()
	fields := map[string]map[string]any{
		"Customer": {"PrintOnCheckName": "Touched"}, "Item": {"PurchaseDesc": "Touched"},
		"Invoice": {"CustomerMemo": map[string]any{"value": "Touched"}}, "Estimate": {"CustomerMemo": map[string]any{"value": "Touched"}},
		"CreditMemo": {"CustomerMemo": map[string]any{"value": "Touched"}},
	}[object]
	if fields == nil {
		return false
	}
	require.NoError(t, box.Edit(object, id, fields))
	return true
}

// inbox receives webhooks as the ingest service does.
type inbox struct {
	url string
	mu  sync.Mutex
	got []connector.Delivery
}

func newInbox(t testing.TB) *inbox {
	t.Helper()
	in := &inbox{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.got = append(in.got, connector.Delivery{Method: r.Method, URL: in.url, Header: r.Header.Clone(), Body: body, Received: time.Now()})
	}))
	t.Cleanup(server.Close)
	in.url = server.URL
	return in
}

// take returns what has come since it was last called.
func (in *inbox) take() []connector.Delivery {
	in.mu.Lock()
	defer in.mu.Unlock()
	got := in.got
	in.got = nil
	return got
}
