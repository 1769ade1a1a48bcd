package events_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	k, err := events.ParseKey("deal/a/b c")
	require.NoError(t, err)
	require.Equal(t, events.Key{Entity: events.EntityDeal, ID: "a/b c"}, k)
	require.Equal(t, "deal/a/b c", k.String())
	for _, in := range []string{"", "deal", "deal/", "/7", "deals/7", "deal/a\nb", "deal/" + strings.Repeat("x", 256)} {
		_, err := events.ParseKey(in)
		require.Error(t, err, in)
	}
}

func TestKeyAsJSON(t *testing.T) {
	t.Parallel()
	type holder struct {
		Key events.Key `json:"key"`
	}
	b, err := json.Marshal(holder{})
	require.NoError(t, err)
	require.JSONEq(t, `{"key":""}`, string(b))
	var h holder
	require.NoError(t, json.Unmarshal([]byte(`{"key":"invoice/in_1"}`), &h))
	require.Equal(t, events.Key{Entity: events.EntityInvoice, ID: "in_1"}, h.Key)
	require.NoError(t, json.Unmarshal([]byte(`{"key":""}`), &h))
	require.True(t, h.Key.IsZero())
	require.Error(t, json.Unmarshal([]byte(`{"key":"x"}`), &h))
}

func TestToken(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a-Z_09": "a-Z_09", "": "=", "a.b": "=YS5i", "*": "=Kg", ">": "=Pg", "ü": "=w7w", "=": "=PQ", " ": "=IA",
	} {
		require.Equal(t, want, events.Token(in))
	}
	for _, in := range []string{"", "a.b", "=YQ", "=YS5i=", "=YS5", "=*", "a b", "=YS5j\n"} {
		_, err := events.Untoken(in)
		require.Error(t, err, in)
	}
}

// safeToken reports whether t may stand as a token of a NATS subject and in a
// key of a KV bucket, by the rules of the server and its client.
func safeToken(t string) bool {
	for _, r := range t {
		if !strings.ContainsRune("-_=/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", r) {
			return false
		}
	}
	return t != ""
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{"", "a", "a.b", "=", "*", ">", "\x00", "\xff", "ü", "cus_1"} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		token := events.Token(a)
		require.True(t, safeToken(token), token)
		back, err := events.Untoken(token)
		require.NoError(t, err)
		require.Equal(t, a, back)
		require.Equal(t, a == b, token == events.Token(b))
	})
}

// Whatever Untoken accepts, Token makes: a token has one form.
func FuzzUntoken(f *testing.F) {
	for _, seed := range []string{"=", "=YQ", "=YS5i", "a", "=YS5i\n", "=YR"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		s, err := events.Untoken(token)
		if err == nil {
			require.Equal(t, token, events.Token(s))
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("deal/77")
	f.Add("deal/")
	f.Add("company/a/b")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := events.ParseKey(s)
		if err != nil {
			return
		}
		require.Equal(t, s, k.String())
		subject := events.RecordSubject("main", k)
		back, err := events.RecordKeyOf(subject)
		require.NoError(t, err)
		require.Equal(t, k, back)
	})
}

// Each kind of subject takes its parts apart again, whatever they hold.
func TestSubjects(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := func(name string) string { return rapid.String().Draw(t, name) }
		tenant, connection, id := s("tenant"), s("connection"), s("id")
		k := events.Key{Entity: events.EntityDeal, ID: s("record")}
		x := events.External{Connection: connection, Object: s("object"), ID: id}
		need := events.Ref{Object: "customer", Record: events.Key{Entity: events.EntityCompany, ID: s("need")}}
		for subject, want := range map[string][]string{
			events.EventSubject(tenant, connection, events.EntityDeal, events.OpChanged, id): {"events", tenant, connection, "deal", "changed", id},
			events.RecordSubject(tenant, k):                                      {"record", tenant, "deal", k.ID},
			events.DesiredSubject(tenant, connection, x.Object, k):               {"desired", tenant, connection, x.Object, "deal", k.ID},
			events.AliasSubject(tenant, x):                                       {"alias", tenant, connection, x.Object, id},
			events.WaitingSubject(tenant, x, k):                                  {"waiting", tenant, connection, x.Object, id, "deal", k.ID},
			events.HeldSubject(tenant, connection, need, "salesOrder", k):        {"held", tenant, connection, "customer", "company", need.Record.ID, "salesOrder", "deal", k.ID},
			events.QuarantineSubject("sink", connection, "rejected", "deal", id): {"quarantine", "sink", connection, "rejected", "deal", id},
			events.AlertSubject("warning", "rejected", connection):               {"alert", "warning", "rejected", connection},
			events.WarehouseSubject(tenant, "deals"):                             {"warehouse", tenant, "deals"},
		} {
			got, err := events.SubjectTokens(subject)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		require.True(t, strings.HasPrefix(events.DesiredSubject(tenant, connection, x.Object, k), strings.TrimSuffix(events.DesiredFilter(tenant, connection), ">")))
		require.True(t, strings.HasPrefix(events.WaitingSubject(tenant, x, k), strings.TrimSuffix(events.WaitingFilter(tenant, x), ">")))
		require.True(t, strings.HasPrefix(events.HeldSubject(tenant, connection, need, "o", k), strings.TrimSuffix(events.HeldFilter(tenant, connection, need), ">")))
	})
	_, err := events.RecordKeyOf("alias.main.x.y.z")
	require.Error(t, err)
	_, err = events.RecordKeyOf("record.main.a b.c")
	require.Error(t, err)
}
