package events_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
)

func desired() events.Desired {
	company := events.Key{Entity: events.EntityCompany, ID: "9"}
	return events.Desired{
		Tenant: "main", Connection: "netsuite", Object: "salesOrder", Entity: events.EntityOrder,
		Record: events.Key{Entity: events.EntityDeal, ID: "77"}, Flow: "netsuite-sales-order", Op: events.DesiredUpsert,
		Fields: map[string]any{
			"entity": events.Ref{Object: "customer", Record: company},
			"memo":   "Renewal", "total": json.Number("12.300"), "toBeEmailed": false, "note": nil,
			"item": []any{
				map[string]any{"item": events.Ref{Object: "item", Record: events.Key{Entity: events.EntityProduct, ID: "5"}}, "quantity": json.Number("2")},
				map[string]any{"item": events.Ref{Object: "customer", Record: company}},
			},
		},
		Reason: "changed",
	}
}

// reread returns d as the bus hands it out.
func reread(t require.TestingT, d events.Desired) events.Desired {
	b, err := json.Marshal(d)
	require.NoError(t, err)
	var back events.Desired
	require.NoError(t, json.Unmarshal(b, &back))
	return back
}

func TestDesiredRefs(t *testing.T) {
	t.Parallel()
	want := []events.Ref{
		{Object: "customer", Record: events.Key{Entity: events.EntityCompany, ID: "9"}},
		{Object: "item", Record: events.Key{Entity: events.EntityProduct, ID: "5"}},
	}
	require.Equal(t, want, desired().Refs())
	require.Equal(t, want, reread(t, desired()).Refs())
	require.Empty(t, events.Desired{}.Refs())
}

func TestDesiredResolve(t *testing.T) {
	t.Parallel()
	d := reread(t, desired())
	before := reread(t, d)
	got := d.Resolve(func(r events.Ref) string { return r.Object + ":" + r.Record.ID })
	require.Empty(t, cmp.Diff(map[string]any{
		"entity": "customer:9", "memo": "Renewal", "total": json.Number("12.300"), "toBeEmailed": false, "note": nil,
		"item": []any{
			map[string]any{"item": "item:5", "quantity": json.Number("2")},
			map[string]any{"item": "customer:9"},
		},
	}, got))
	require.Empty(t, cmp.Diff(before, d), "the document must stay as it is")
}

func TestAsRef(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"text":       "x",
		"no record":  map[string]any{"$ref": map[string]any{"object": "item"}},
		"bad record": map[string]any{"$ref": map[string]any{"object": "item", "record": "item/5"}},
		"more":       map[string]any{"$ref": map[string]any{"object": "item", "record": "product/5"}, "x": 1},
		"no object":  map[string]any{"$ref": "product/5"},
	} {
		_, ok := events.AsRef(v)
		require.False(t, ok, name)
	}
}

func TestDesiredSeal(t *testing.T) {
	t.Parallel()
	sealed := desired()
	require.NoError(t, sealed.Seal())
	require.Len(t, sealed.Hash, 24)

	again := reread(t, desired())
	require.NoError(t, again.Seal())
	require.Equal(t, sealed.Hash, again.Hash, "a document that was stored asks for the same thing")

	for name, change := range map[string]func(*events.Desired){
		"connection": func(d *events.Desired) { d.Connection = "other" },
		"object":     func(d *events.Desired) { d.Object = "invoice" },
		"record":     func(d *events.Desired) { d.Record.ID = "78" },
		"op":         func(d *events.Desired) { d.Op = events.DesiredVoid },
		"field":      func(d *events.Desired) { d.Fields["memo"] = "Renewal " },
		"digits":     func(d *events.Desired) { d.Fields["total"] = json.Number("12.3") },
		"cleared":    func(d *events.Desired) { delete(d.Fields, "note") },
	} {
		other := desired()
		change(&other)
		require.NoError(t, other.Seal())
		require.NotEqual(t, sealed.Hash, other.Hash, name)
	}
	same := desired()
	same.Flow, same.KnownID, same.Reason, same.Tenant = "x", "x", "x", "x"
	require.NoError(t, same.Seal())
	require.Equal(t, sealed.Hash, same.Hash)

	broken := desired()
	broken.Fields["memo"] = make(chan int)
	require.ErrorContains(t, broken.Seal(), "desired netsuite/salesOrder of deal/77")
}

// The hash does not depend on the order in which fields were set, nor on a
// trip over the bus.
func TestDesiredSealIsDeterministic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		leaf := rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Map(decimals(), func(d events.Decimal) any { return json.Number(d.String()) }),
			rapid.Just[any](nil),
		)
		fields := rapid.MapOf(rapid.StringMatching(`[a-z]{1,4}`), rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOf(leaf), func(l []any) any { return append([]any{}, l...) }),
			rapid.Map(rapid.MapOf(rapid.StringMatching(`[a-z]{1,3}`), leaf), func(m map[string]any) any { return m }),
		)).Draw(t, "fields")
		a := desired()
		a.Fields = fields
		b := reread(t, a)
		c := desired()
		c.Fields = maps.Clone(fields)
		require.NoError(t, a.Seal())
		require.NoError(t, b.Seal())
		require.NoError(t, c.Seal())
		require.Equal(t, a.Hash, b.Hash)
		require.Equal(t, a.Hash, c.Hash)
	})
}

func FuzzDesired(f *testing.F) {
	f.Add([]byte(`{"fields":{"a":{"$ref":{"object":"item","record":"product/5"}},"b":[1.0,{"$ref":1}]}}`))
	f.Add([]byte(`{"fields":null,"record":"x"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d events.Desired
		if json.Unmarshal(raw, &d) != nil {
			return
		}
		refs := d.Refs()
		asked := map[events.Ref]bool{}
		d.Resolve(func(r events.Ref) string { asked[r] = true; return "" })
		require.Len(t, asked, len(refs))
		require.NoError(t, d.Seal())
	})
}
