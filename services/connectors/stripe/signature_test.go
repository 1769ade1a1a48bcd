package stripe_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

var signedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// webhooksAt opens a connector whose clock stands still.
func webhooksAt(t testing.TB, now time.Time, change func(*stripe.Settings)) connector.Webhooks {
	t.Helper()
	s := stripe.Kind().Settings().(*stripe.Settings)
	s.Key = secret.New("sk_test_abc")
	s.WebhookSecrets = []secret.Value{secret.New("whsec_new"), secret.New("whsec_old")}
	if change != nil {
		change(s)
	}
	c, err := stripe.Kind().Open(s, connector.Deps{
		Connection: "stripe", Tenant: "acme", Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient,
		Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	return c.Webhooks
}

func v1(secret string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

func delivery(header, body string) connector.Delivery {
	d := connector.Delivery{Method: http.MethodPost, URL: "https://in.example/hooks/stripe", Header: http.Header{}, Body: []byte(body)}
	if header != "" {
		d.Header.Set("Stripe-Signature", header)
	}
	return d
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const body = `{"id":"evt_1"}`
	stamp := fmt.Sprintf("t=%d", signedAt.Unix())
	good := v1("whsec_new", signedAt, body)
	other := v1("whsec_other", signedAt, body)
	for _, c := range []struct {
		name   string
		header string
		body   string
		after  time.Duration
		want   fault.Kind
		ok     bool
	}{
		{name: "genuine", header: stamp + "," + good, ok: true},
		{name: "with spaces", header: stamp + ", " + good, ok: true},
		{name: "signature first", header: good + "," + stamp, ok: true},
		{name: "the old secret", header: stamp + "," + v1("whsec_old", signedAt, body), ok: true},
		{name: "one of two matches", header: stamp + "," + other + "," + good, ok: true},
		{name: "other schemes beside it", header: stamp + ",v0=00,v2=zz," + good, ok: true},
		{name: "at the edge", header: stamp + "," + good, after: 5 * time.Minute, ok: true},
		{name: "at the other edge", header: stamp + "," + good, after: -5 * time.Minute, ok: true},
		{name: "too old", header: stamp + "," + good, after: 5*time.Minute + time.Second, want: fault.Unauthorized},
		{name: "too far ahead", header: stamp + "," + good, after: -5*time.Minute - time.Second, want: fault.Unauthorized},
		{name: "no header", want: fault.Unauthorized},
		{name: "another secret", header: stamp + "," + other, want: fault.Unauthorized},
		{name: "the secret decoded", header: stamp + "," + v1("new", signedAt, body), want: fault.Unauthorized},
		{name: "another body", header: stamp + "," + good, body: body + " ", want: fault.Unauthorized},
		{name: "another time", header: fmt.Sprintf("t=%d,", signedAt.Unix()+1) + good, want: fault.Unauthorized},
		{name: "only v0", header: stamp + ",v0=" + strings.TrimPrefix(good, "v1="), want: fault.Unauthorized},
		{name: "cut short", header: stamp + "," + good[:len(good)-2], want: fault.Unauthorized},
		{name: "no time", header: good, want: fault.Malformed},
		{name: "two times", header: stamp + "," + stamp + "," + good, want: fault.Malformed},
		{name: "noise", header: "=,;\x00 v1=", want: fault.Malformed},
		{name: "a flood", header: stamp + strings.Repeat(","+other, 100), want: fault.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := c.body
			if text == "" {
				text = body
			}
			err := webhooksAt(t, signedAt.Add(c.after), nil).Verify(delivery(c.header, text))
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Equal(t, c.want, fault.KindOf(err), "%v", err)
		})
	}
}

// Whoever does not know a secret gets nothing through, whatever the header.
func FuzzVerify(f *testing.F) {
	const body = `{"id":"evt_1"}`
	f.Add(fmt.Sprintf("t=%d,%s", signedAt.Unix(), v1("whsec_other", signedAt, body)), body)
	f.Add(fmt.Sprintf("t=%d,v1=", signedAt.Unix()), "")
	f.Add("t=,v1="+strings.Repeat("0", 64), "x")
	f.Add("t=1,t=2,v1=zz,,=,", "")
	f.Fuzz(func(t *testing.T, header, body string) {
		err := webhooksAt(t, signedAt, nil).Verify(delivery(header, body))
		require.Error(t, err)
		kind := fault.KindOf(err)
		require.True(t, kind == fault.Unauthorized || kind == fault.Malformed, "%s: %v", kind, err)
	})
}
