package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func TestReadmeIsCurrent(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	fresh, err := replace(string(text), tables(catalog.Kinds()))
	require.NoError(t, err)
	require.Equal(t, fresh, string(text), "README.md's tables are not what the connectors declare: run make generate")
}

func TestTables(t *testing.T) {
	t.Parallel()
	plain := connector.Kind{
		Title: "ERP", Name: "erp",
		Objects: []connector.Object{
			{Name: "order", Entity: "order", Can: connector.Create | connector.Read},
			{Name: "refund", Entity: "refund"},
		},
		Feeds: []connector.Feed{
			{Name: "order", Objects: []string{"order"}, Backfill: true},
			{Name: "log", Objects: []string{"order", "refund"}, Poll: true},
		},
	}
	most := plain
	most.Objects = []connector.Object{
		plain.Objects[0],
		{Name: "refund", Entity: "refund", Can: connector.Webhook},
		{Name: "gizmo", Entity: "x_gizmo", Can: connector.Update | connector.Delete},
	}
	var rows []string
	for _, o := range most.Objects {
		rows = append(rows, row(plain, most, o))
	}
	require.Equal(t, []string{
		"| `order` | `order` | ✓ | | ✓ | | | ✓ | ✓ |\n",
		"| `refund` | `refund` | | | | | (✓) | ✓ | |\n",
		"| each declared custom type | `x_…` | | ✓ | | ✓ | | | |\n",
	}, rows)
	require.Contains(t, tables([]connector.Kind{plain}), "\n**ERP**\n\n| object | entity | create | update | read | delete | webhook | poll | backfill |\n|---|---|:---:|")
}

// TestEveryCustomTypeShows: a connector whose settings add objects is shown
// with them.
func TestEveryCustomTypeShows(t *testing.T) {
	t.Parallel()
	text := tables(catalog.Kinds())
	require.Equal(t, 2, strings.Count(text, "each declared custom type"), "HubSpot's custom objects and NetSuite's custom records")
	require.NotContains(t, text, "example")
}

func TestReplace(t *testing.T) {
	t.Parallel()
	got, err := replace("a\n"+begin+"old\n"+end+"b\n", "new\n")
	require.NoError(t, err)
	require.Equal(t, "a\n"+begin+"new\n\n"+end+"b\n", got)
	again, err := replace(got, "new\n")
	require.NoError(t, err)
	require.Equal(t, got, again)
	for _, bad := range []string{"", begin, end + begin, begin + begin + end} {
		_, err := replace(bad, "x")
		require.Error(t, err)
	}
}
