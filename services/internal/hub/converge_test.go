package hub_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

var systems = []string{"hubspot", "netsuite", "stripe", "quickbooks", "shop"}

// genPolicy draws a rule for each field, and systems that are only written to.
// "first" is left out on request: of what a source said before an erasure and
// after it only one word is kept.
func genPolicy(t *rapid.T, kinds ...string) hub.Policy {
	rules := hub.Rules{events.EntityCompany: {"custom.tags": "union"}}
	for _, f := range []string{"default", "name", "phone", "custom.tier"} {
		rules[events.EntityCompany][f] = rapid.SampledFrom(kinds).Draw(t, f)
	}
	p, err := hub.NewPolicy(rules, "hubspot", systems)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom(systems[1:]), 0, 2, rapid.ID).Draw(t, "muted") {
		p = p.Mute(s, events.EntityCompany)
	}
	return p
}

// genFacts draws what may happen to a record: changes of single fields (the
// form in which merge promises to converge exactly), deletions, mergers,
// erasures, outcomes of our own writes, and what merged records leave.
func genFacts(t *rapid.T, kinds ...string) []hub.Fact {
	n := rapid.IntRange(1, 12).Draw(t, "n")
	facts := make([]hub.Fact, n)
	for i := range facts {
		id, minute := fmt.Sprint("e", i), rapid.IntRange(0, 6).Draw(t, "minute")
		source := rapid.SampledFrom(systems).Draw(t, "source")
		switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
		case "change":
			facts[i] = said(id, source, rapid.SampledFrom([]string{"name", "phone", "city", "custom.tier", "custom.tags"}).Draw(t, "field"),
				rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "value"), minute, false)
			if list := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3).Draw(t, "list"); len(list) > 0 {
				facts[i].Change.Fields.Set("custom.tags", list)
			}
		case "outcome":
			facts[i] = told(id, uint64(i+1),
				rapid.SampledFrom([]events.State{events.StateDone, events.StateHeld, events.StateQuarantined}).Draw(t, "state"), minute)
			facts[i].Outcome.Read = facts[i].Outcome.At.Add(-time.Second)
			facts[i].Outcome.Seen = fieldsOf(map[string]string{"phone": rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "shown")})
			facts[i].Outcome.Sent = fieldsOf(map[string]string{"city": rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "sent")})
		case "bequest":
			facts[i] = hub.Fact{ID: id, Bequest: genMerged(t, uint64(i+1), minute)}
		default:
			facts[i] = deleted(id, source, minute)
			facts[i].Change.Op = events.Op(kind)
			if facts[i].Change.Op == events.OpMerged {
				facts[i].Into = events.Key{Entity: events.EntityCompany, ID: rapid.SampledFrom([]string{"8", "7", "9"}).Draw(t, "into")}
			}
		}
	}
	return facts
}

// genMerged draws a version of a record that was merged into the one under
// test, or into another one that was.
func genMerged(t *rapid.T, version uint64, minute int) *events.Record {
	id := rapid.SampledFrom([]string{"8", "7"}).Draw(t, "merged")
	into := events.Key{Entity: events.EntityCompany, ID: rapid.SampledFrom([]string{"9", "8", "7"}).Draw(t, "heir")}
	at := t0.Add(time.Duration(minute) * time.Minute)
	u := events.Union{Into: into, Source: "hubspot", At: at, Event: fmt.Sprint("m", version)}
	r := events.Record{
		Tenant: "t", Key: events.Key{Entity: events.EntityCompany, ID: id}, Version: version, UpdatedAt: at,
		Unions: map[string]events.Union{"hubspot": u}, Merged: &u,
		Fields: map[string]events.Field{"phone": {Value: json.RawMessage(`"d"`), Source: "netsuite", At: at, Event: fmt.Sprint("n", version)}},
		Docs: map[string]events.Doc{
			"netsuite/company": {Connection: "netsuite", Object: "company", Entity: events.EntityCompany, ID: "n" + id, State: events.StateDone, At: at, Event: "w"},
			"stripe/invoice":   {Connection: "stripe", Object: "invoice", Entity: events.EntityInvoice, ID: "i" + id, State: events.StateDone, At: at, Event: "w"},
		},
	}
	return &r
}

// TestMergeConverges: whatever the order, the grouping and the repeats, the
// same facts end in the same record, but for its count of versions and, where
// something outdated leaves no trace, the time of its last change.
func TestMergeConverges(t *testing.T) {
	t.Parallel()
	lives := []string{"change", "change", "change", "outcome", "bequest", "deleted", "restored", "merged"}
	for name, tc := range map[string]struct{ kinds, rules []string }{
		"values": {[]string{"change"}, []string{"newest", "first", "owner: hubspot", "owner: netsuite"}},
		"lives":  {lives, []string{"newest", "first", "owner: hubspot", "owner: netsuite"}},
		"erased": {append(slices.Clone(lives), "erased", "erased"), []string{"newest", "owner: hubspot", "owner: netsuite"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				facts, p := genFacts(t, tc.kinds...), genPolicy(t, tc.rules...)
				want, _ := hub.Merge(company(), facts, p)
				shuffled := rapid.Permutation(facts).Draw(t, "order")
				shuffled = append(shuffled, rapid.SliceOfN(rapid.SampledFrom(facts), 0, 4).Draw(t, "repeats")...)
				got := company()
				for len(shuffled) > 0 {
					n := rapid.IntRange(1, len(shuffled)).Draw(t, "group")
					got, _ = hub.Merge(got, shuffled[:n], p)
					shuffled = shuffled[n:]
				}
				got.Version, got.UpdatedAt = want.Version, want.UpdatedAt
				// What an answer replaced is only there for what lags behind it.
				if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(events.Seen{}, "Over")); d != "" {
					t.Fatal(d)
				}
				if _, changed := hub.Merge(got, facts, p); changed {
					t.Fatal("merging known facts again changed the record")
				}
			})
		})
	}
}

// TestFiveSystemsConverge: five systems write one record, in each of the 120
// orders, under each kind of rule.
func TestFiveSystemsConverge(t *testing.T) {
	t.Parallel()
	p := policy(t, hub.Rules{events.EntityCompany: {
		"name": "owner: netsuite", "phone": "first", "custom.tags": "union", "default": "newest",
	}}).Mute("quickbooks", events.EntityCompany)
	facts := make([]hub.Fact, len(systems))
	for i, s := range systems {
		// Two of them at the very same time.
		facts[i] = said("e-"+s, s, "name", "name of "+s, i/2, false)
		facts[i].Change.Fields.Set("phone", "phone of "+s)
		facts[i].Change.Fields.Set("city", "city of "+s)
		facts[i].Change.Fields.Set("custom.tags", []string{s, "all"})
	}
	var want events.Record
	n := 0
	permute(facts, func(order []hub.Fact) {
		r := company()
		for _, f := range order {
			r, _ = hub.Merge(r, []hub.Fact{f}, p)
		}
		if n++; n == 1 {
			want = r
		}
		require.Empty(t, cmp.Diff(want, r, cmpopts.EquateEmpty()), "order %d", n)
	})
	require.Equal(t, 120, n)
	require.Equal(t, "name of netsuite", value(want, "name"))
	require.Equal(t, "phone of hubspot", value(want, "phone"), "the first word, of the lesser name at one time")
	require.Equal(t, "city of shop", value(want, "city"))
	require.JSONEq(t, `["all","hubspot","netsuite","shop","stripe"]`, string(want.Fields["custom.tags"].Value), "quickbooks is only written to")
	require.Len(t, want.Fields["city"].Others, 3, "what lost is known, too")
}

func permute(facts []hub.Fact, visit func([]hub.Fact)) {
	var step func(rest, done []hub.Fact)
	step = func(rest, done []hub.Fact) {
		if len(rest) == 0 {
			visit(done)
			return
		}
		for i := range rest {
			step(slices.Concat(rest[:i], rest[i+1:]), append(slices.Clone(done), rest[i]))
		}
	}
	step(facts, nil)
}

// TestRouteIsDeterministic: the same record wants the same documents, however
// it came about, and wants nothing new of what it wanted already.
func TestRouteIsDeterministic(t *testing.T) {
	t.Parallel()
	flows := customers(t)
	rapid.Check(t, func(t *rapid.T) {
		facts := genFacts(t, "change", "change", "outcome", "bequest", "deleted", "restored", "merged")
		p := genPolicy(t, "newest", "first", "owner: netsuite")
		one, _ := hub.Merge(company(), facts, p)
		other, _ := hub.Merge(company(), rapid.Permutation(facts).Draw(t, "order"), p)
		first, wanted, failed := hub.Route(one, flows)
		again, same, failedToo := hub.Route(other, flows)
		if d := cmp.Diff(wanted, same); d != "" || len(failed) != len(failedToo) {
			t.Fatal(d)
		}
		if d := cmp.Diff(first.Wanted, again.Wanted); d != "" {
			t.Fatal(d)
		}
		if _, more, _ := hub.Route(first, flows); len(more) > 0 {
			t.Fatalf("a record that changed nothing wants %v once more", more)
		}
	})
}

// TestNothingIsWantedOfAnEmptyRecord that only Spoke has spoken of: it has been
// set apart before its object was merged.
func TestNothingIsWantedOfAnEmptyRecord(t *testing.T) {
	t.Parallel()
	apart := hub.Fact{ID: "apart", Change: &events.Change{
		Connection: hub.Internal, Entity: events.EntityCompany, Object: "company", ID: "9", Op: events.OpRestored, At: t0,
	}}
	set, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(
		"flow: customer\nfrom: company\nto: netsuite\nobject: company\nfields:\n  tier: '\"gold\"'\n")}},
		[]mapping.Target{{Name: "netsuite", Kind: connector.Kind{Name: "netsuite", Title: "NetSuite", Objects: []connector.Object{{
			Name: "company", Entity: events.EntityCompany, Can: connector.Create | connector.Update,
			Fields: []connector.Field{{Name: "tier", Type: connector.FieldString}},
		}}}}})
	require.NoError(t, err)
	flows := set.For(events.EntityCompany)
	r, changed := hub.Merge(company(), []hub.Fact{apart}, policy(t, nil))
	require.True(t, changed)
	r, wanted, failed := hub.Route(r, flows)
	require.Empty(t, wanted)
	require.Empty(t, failed)
	r, _ = hub.Merge(r, []hub.Fact{said("1", "hubspot", "name", "Acme", 1, false)}, policy(t, nil))
	_, wanted, _ = hub.Route(r, flows)
	require.NotEmpty(t, wanted)
}
