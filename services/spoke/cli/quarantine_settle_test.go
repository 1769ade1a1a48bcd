package cli_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/match"
)

// inFolder opens the store of a Spoke that is stopped.
func inFolder(t *testing.T, dir string, do func(b *bus.Bus)) {
	t.Helper()
	s, err := embed.Start(embed.Options{Dir: dir})
	require.NoError(t, err)
	defer s.Stop()
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer b.Close()
	do(b)
}

// undecided adds two companies, and two events of a shop's company that may be
// either of them, as entries 2 and 3.
func undecided(t *testing.T, dir string) {
	t.Helper()
	inFolder(t, dir, func(b *bus.Bus) {
		put := func(subject string, v any) {
			data, err := json.Marshal(v)
			require.NoError(t, err)
			_, err = b.Publish(t.Context(), bus.Message{Subject: subject, Data: data})
			require.NoError(t, err)
		}
		for _, id := range []string{"8", "it's"} {
			k := events.Key{Entity: events.EntityCompany, ID: id}
			put(events.RecordSubject("main", k), events.Record{Tenant: "main", Key: k, Version: 1})
		}
		for _, event := range []string{"e1", "e2"} {
			f := events.Fields{}
			f.Set("domain", "acme.example")
			c := events.Change{Connection: "shop", Entity: events.EntityCompany, Object: "company", ID: "c1", Op: events.OpChanged, At: t0, Fields: f}
			m, err := bus.EncodeEvent(t.Context(), events.EventSubject("main", "shop", c.Entity, c.Op, c.ID), events.NewChange("shop", event, c))
			require.NoError(t, err)
			seq, err := b.Publish(t.Context(), m)
			require.NoError(t, err)
			original, err := c.MarshalJSON()
			require.NoError(t, err)
			put(events.QuarantineSubject("transform", "shop", "rejected", c.Entity, "shop/company/c1/"+event), events.Quarantined{
				Service: "transform", Connection: "shop", Entity: c.Entity, Attempts: 1, Stream: events.StreamEvents, Subject: m.Subject,
				Sequence: seq, Event: event, At: t0, Original: original, Own: events.Key{Entity: c.Entity, ID: "shop-c1"},
				Choices: []events.Choice{
					{Record: events.Key{Entity: c.Entity, ID: "8"}, Field: "domain"}, {Record: events.Key{Entity: c.Entity, ID: "it's"}, Field: "domain"},
				},
				Problem: events.Problem{
					Kind: "rejected", Message: "transform: company c1 of shop may be company/8 or company/it's", Field: "domain", Code: match.Code,
					Hint: "settle which one it is",
				},
			})
		}
	})
}

// TestSettling goes through what a person does with an ambiguous match.
func TestSettling(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		choice []string
		alias  string
		union  events.Change
		note   string
	}{
		"record": {[]string{"company/it's"}, "company/it's", events.Change{Op: events.OpMerged, Into: "it's"}, ""},
		"none":   {[]string{"--none"}, "company/shop-c1", events.Change{Op: events.OpRestored}, "none of the choices"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			undecided(t, dir)
			do := func(want int, args ...string) string {
				t.Helper()
				status, out, errw := spoke(append(append([]string{"quarantine"}, args...), "--data", dir)...)
				require.Equal(t, want, status, out+errw)
				return out + errw
			}
			show := do(0, "show", "2")
			golden(t, "quarantine-choices", show, dir)
			require.Contains(t, do(1, "settle", "2"), "spoke quarantine show 2 lists them")
			require.Contains(t, do(1, "settle", "2", "company/8", "--none"), "not both")
			require.Contains(t, do(1, "settle", "2", "company"), "want entity/id")
			require.Contains(t, do(1, "settle", "2", "company/77"), "company/77 is none of the records that it may be: choose company/8 or company/it's, or --none")
			require.Contains(t, do(1, "settle", "1", "company/8"), "it does not wait for a decision")
			require.Contains(t, do(1, "settle", "99", "--none"), "no longer in quarantine")
			settle := append([]string{"settle", "2"}, tc.choice...)
			golden(t, "quarantine-settle-dry-"+name, do(0, append(settle, "--dry-run")...), dir)
			require.Equal(t, show, do(0, "show", "2"), "nothing was changed")

			golden(t, "quarantine-settle-"+name, do(0, settle...), dir)
			require.Contains(t, do(1, settle...), "no longer in quarantine")
			require.Equal(t, 2, strings.Count(do(0, "ls"), "\n"), "but for the other one, nothing is left")
			inFolder(t, dir, func(b *bus.Bus) {
				m, ok, err := b.LastOne(t.Context(), events.StreamHub, events.AliasSubject("main", events.External{Connection: "shop", Object: "company", ID: "c1"}))
				require.NoError(t, err)
				require.True(t, ok)
				require.JSONEq(t, `"`+tc.alias+`"`, string(m.Data))
				said, err := b.Read(t.Context(), events.StreamEvents, "events.>", 1, 10, 1<<20)
				require.NoError(t, err)
				require.Len(t, said, 5, "the two events, the decision, and both again")
				_, c, err := events.DecodeChange(said[2].Data)
				require.NoError(t, err)
				require.Equal(t, tc.union.Op, c.Op)
				require.Equal(t, tc.union.Into, c.Into)
				require.Equal(t, "shop-c1", c.ID)
				require.Equal(t, said[0].Data, said[3].Data)
				require.Equal(t, said[1].Data, said[4].Data)
				noted, err := b.Read(t.Context(), events.StreamAudit, "audit.>", 1, 10, 1<<20)
				require.NoError(t, err)
				require.Len(t, noted, 1)
				require.Equal(t, events.AuditSubject("main", "quarantine.settle"), noted[0].Subject)
				var a events.Action
				e, err := bus.DecodeEvent(noted[0])
				require.NoError(t, err)
				require.NoError(t, json.Unmarshal(e.Data, &a))
				require.Equal(t, tc.alias, a.Record.String())
				require.Equal(t, tc.note, a.Note)
				require.Contains(t, a.Target, "quarantine/2 ")
				require.False(t, noted[0].Time.After(m.Time), "noted before it is done")
			})
		})
	}
}
