package mapping_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

func TestReads(t *testing.T) {
	t.Parallel()
	set, err := mapping.Compile([]mapping.File{{Name: "order.yaml", Text: []byte(orderFlow)}}, targets())
	require.NoError(t, err)
	f, _ := set.Find("deal-to-order")
	for field, want := range map[string]bool{
		"company": true, "name": true, "amount": true, "custom.region": true, "closeDate": true, "lines": true,
		"won": false, "stage": false, "custom.other": false, // when: decides, and writes nothing
	} {
		require.Equal(t, want, f.Reads(field), field)
	}
	for text, field := range map[string]string{
		`deal.custom["a b"]`:                         "custom.a b",
		`deal.custom[deal.name]`:                     "custom.anything",
		`has(deal.stage) ? deal.stage : "none"`:      "stage",
		`deal.lines.map(l, l.name).size() > 0`:       "lines",
		`{"a": deal.pipeline}.size() > 0`:            "pipeline",
		`[deal].map(d, d.name).size() > 0`:           "stage", // all of it
		`docs.erp.order.number + deal.custom.x + ""`: "custom.x",
	} {
		flow := strings.Replace(orderFlow, "deal.custom.region", "'"+text+"'", 1)
		set, err := mapping.Compile([]mapping.File{{Name: "order.yaml", Text: []byte(flow)}}, targets())
		require.NoError(t, err, text)
		f, _ := set.Find("deal-to-order")
		require.True(t, f.Reads(field), text)
	}
}

// TestKeeps leaves out what is only read for fields that are written once, with
// all that stands in them.
func TestKeeps(t *testing.T) {
	t.Parallel()
	kind := connector.Kind{Name: "erp", Title: "ERP", Objects: []connector.Object{{
		Name: "customer", Entity: events.EntityCompany, Can: connector.Create | connector.Update, Fields: []connector.Field{
			{Name: "address", Type: connector.FieldObject, Once: true, Fields: []connector.Field{{Name: "city", Type: connector.FieldString}}},
			{Name: "label", Type: connector.FieldString, Once: true},
			{Name: "name", Type: connector.FieldString},
		},
	}}}
	set, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(
		"flow: f\nfrom: company\nto: erp\nobject: customer\nfields:\n  address:\n    city: company.city\n" +
			"  label: company.name + company.custom.tier\n  name: company.name\n")}}, []mapping.Target{{Name: "erp", Kind: kind}})
	require.NoError(t, err)
	f, _ := set.Find("f")
	for field, keeps := range map[string]bool{"city": false, "custom.tier": false, "name": true, "phone": false} {
		require.Equal(t, keeps, f.Keeps(field), field)
		require.Equal(t, field != "phone", f.Reads(field), field)
	}
}

// TestFlowsThatReadWhatTheyWriteAreRefused: they would overwrite each other for
// ever. The names of an object stay what they are, and may be read.
func TestFlowsThatReadWhatTheyWriteAreRefused(t *testing.T) {
	t.Parallel()
	kind := func(name string) connector.Kind {
		return connector.Kind{Name: name, Title: name, Objects: []connector.Object{{
			Name: "bill", Entity: events.EntityInvoice, Can: connector.Create | connector.Update,
			Fields: []connector.Field{{Name: "memo", Type: connector.FieldString}},
		}}}
	}
	compile := func(a, b string) error {
		flow := func(name, from string) mapping.File {
			return mapping.File{Name: name + ".yaml", Text: []byte("flow: " + name + "\nfrom: deal\nto: " + name + "\nobject: bill\nfields:\n  memo: " + from + "\n")}
		}
		_, err := mapping.Compile([]mapping.File{flow("a", a), flow("b", b)}, []mapping.Target{{Name: "a", Kind: kind("a")}, {Name: "b", Kind: kind("b")}})
		return err
	}
	require.NoError(t, compile("docs.b.bill.number", "docs.a.bill.id"))
	require.NoError(t, compile("docs.b.bill.memo", "deal.name"))
	err := compile("docs.b.bill.memo", "docs.a.bill.memo")
	require.ErrorContains(t, err, "a.yaml:1:1: flow a is made of what it writes itself: a/bill ← b/bill ← a/bill; each would overwrite the other for ever")
	require.ErrorContains(t, compile("docs.a.bill.memo", "deal.name"), "flow a is made of what it writes itself: a/bill ← a/bill")
}
