package budget_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a vendor says to the n-th call, and when.
type answer struct {
	takes      time.Duration
	status     int
	retryAfter string
}

// scripted answers each call in turn, and notes when it came.
type scripted struct {
	mu      sync.Mutex
	answers []answer
	at      []time.Time
}

func (v *scripted) RoundTrip(*http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.at = append(v.at, time.Now())
	a := answer{status: http.StatusOK}
	if len(v.answers) > 0 {
		a, v.answers = v.answers[0], v.answers[1:]
	}
	v.mu.Unlock()
	time.Sleep(a.takes)
	return &http.Response{StatusCode: a.status, Header: http.Header{"Retry-After": {a.retryAfter}}, Body: http.NoBody}, nil
}

// TestRefusedTogetherSlowsOnce: calls that were in flight together and meet one
// limit are one sign that the rate is too high, not as many.
func TestRefusedTogetherSlowsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &scripted{}
		for range 8 {
			v.answers = append(v.answers, answer{time.Second, http.StatusTooManyRequests, "1"})
		}
		b := budget.New(connector.Limits{PerSecond: 100, Burst: 8, Concurrent: 8})
		defer b.Close()
		call(t, b.Transport(v), 8)
		time.Sleep(time.Minute)
		n := len(v.at)
		call(t, b.Transport(v), 19) // one less than heals
		require.Less(t, v.at[n+18].Sub(v.at[n+8]), 250*time.Millisecond, "half of 100 a second, not a sixteenth")
	})
}

// TestTheBodyOfARefusedCallIsClosed, as a RoundTripper must.
func TestTheBodyOfARefusedCallIsClosed(t *testing.T) {
	t.Parallel()
	b := budget.New(connector.Limits{Concurrent: 1})
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &closing{}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vendor.invalid", body)
	require.NoError(t, err)
	_, err = b.Transport(&scripted{}).RoundTrip(req)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, body.closed)
}

type closing struct{ closed bool }

func (*closing) Read([]byte) (int, error) { return 0, nil }
func (c *closing) Close() error           { c.closed = true; return nil }
