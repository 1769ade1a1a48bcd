package netsuite_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

func openWith(s *netsuite.Settings) error {
	_, err := netsuite.Kind().Open(s, connector.Deps{
		Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient, Now: time.Now,
	})
	return err
}

func TestSettingsReportEveryProblem(t *testing.T) {
	t.Parallel()
	err := openWith(&netsuite.Settings{
		Account: "no account", URL: "example.com", AppURL: "::", Subsidiary: "main", DepositAccount: "x",
		Currency: "EURO",
	})
	for _, path := range []string{"account:", "url:", "app_url:", "subsidiary:", "deposit_account:", "currency:", "oauth2:"} {
		require.ErrorContains(t, err, path)
	}
}

func TestSettingsOfCredentials(t *testing.T) {
	t.Parallel()
	const leaked = "-----BEGIN PRIVATE KEY----- leaked"
	cases := map[string]struct {
		change func(*netsuite.Settings)
		want   string
	}{
		"both":        {func(s *netsuite.Settings) { s.OAuth2 = &netsuite.OAuth2{} }, "set either oauth2 or tba"},
		"none":        {func(s *netsuite.Settings) { s.TBA = nil }, "set either oauth2 or tba"},
		"half a TBA":  {func(s *netsuite.Settings) { s.TBA.TokenSecret = secret.Value{} }, "tba: consumer_key"},
		"no key":      {func(s *netsuite.Settings) { s.TBA, s.OAuth2 = nil, &netsuite.OAuth2{ClientID: "a"} }, "private_key are required"},
		"not a key":   {func(s *netsuite.Settings) { s.TBA, s.OAuth2 = nil, key(leaked, "") }, "RSA or EC private key"},
		"RS256 of EC": {func(s *netsuite.Settings) { s.TBA, s.OAuth2 = nil, key(ecKey(), "RS256") }, "want ES256"},
		"ES384 of EC": {func(s *netsuite.Settings) { s.TBA, s.OAuth2 = nil, key(ecKey(), "ES384") }, "want ES256"},
		"all is well": {func(s *netsuite.Settings) { s.TBA, s.OAuth2 = nil, key(ecKey(), "") }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &netsuite.Settings{Account: "1234567", TBA: tba()}
			c.change(s)
			err := openWith(s)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "leaked")
		})
	}
}

// ecKey is a P-256 key in PEM form.
var ecKey = sync.OnceValue(func() string {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

func key(text, alg string) *netsuite.OAuth2 {
	return &netsuite.OAuth2{ClientID: "a", CertificateID: "b", PrivateKey: secret.New(text), Alg: alg}
}

// TestHostAndRealm: the host has the account id in lower case with '-', the
// realm in upper case with '_'. Either mixed up ends as "invalid login".
func TestHostAndRealm(t *testing.T) {
	t.Parallel()
	var got *http.Request
	wire := roundTrip(func(r *http.Request) (*http.Response, error) {
		got = r
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Header: http.Header{}}, nil
	})
	for account, want := range map[string][2]string{
		"1234567":      {"1234567.suitetalk.api.netsuite.com", `realm="1234567"`},
		"1234567_SB1":  {"1234567-sb1.suitetalk.api.netsuite.com", `realm="1234567_SB1"`},
		"1234567-sb1":  {"1234567-sb1.suitetalk.api.netsuite.com", `realm="1234567_SB1"`},
		"tstdrv123456": {"tstdrv123456.suitetalk.api.netsuite.com", `realm="TSTDRV123456"`},
	} {
		con, err := netsuite.Kind().Open(&netsuite.Settings{Account: account, TBA: tba()}, connector.Deps{
			HTTP: &http.Client{Transport: wire}, Now: time.Now,
		})
		require.NoError(t, err)
		require.Error(t, con.Target.Check(t.Context()))
		require.Equal(t, want[0], got.URL.Host)
		require.Equal(t, "https", got.URL.Scheme)
		require.Contains(t, got.Header.Get("Authorization"), want[1])
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTokenAnswers(t *testing.T) {
	t.Parallel()
	for answer, ok := range map[string]bool{
		`{"access_token":"t","expires_in":3600}`:   true,
		`{"access_token":"t","expires_in":"3600"}`: true,
		`{"access_token":"t","expires_in":0}`:      false,
		`{"access_token":"","expires_in":3600}`:    false,
		`{"expires_in":{}}`:                        false,
		`<html>`:                                   false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				_, _ = w.Write([]byte(answer))
				return
			}
			_, _ = w.Write([]byte(`{"items":[]}`))
		}))
		b := &bundle{settings: &netsuite.Settings{Account: "1", URL: server.URL, OAuth2: key(ecKey(), "")}, wire: &recorder{}}
		b.open(t, time.Now)
		err := b.target.Check(t.Context())
		require.Equal(t, ok, err == nil, "%s: %v", answer, err)
		b.wire.real.CloseIdleConnections()
		server.Close()
	}
}
