package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

const orderFlow = "flow: order\nfrom: deal\nto: books\nobject: order\nfields:\n  memo: deal.name\n"

// TestDirection: nothing is written to a connection that is only read, and the
// word of one that is only written to does not count.
func TestDirection(t *testing.T) {
	t.Parallel()
	all := kinds()
	all[1].Flows = fstest.MapFS{"order.yaml": {Data: []byte(orderFlow)}}
	for direction, want := range map[string]struct{ writes, speaks bool }{
		"two-way": {true, true}, "to": {true, false}, "from": {false, true}, "off": {false, false}, "false": {false, false},
	} {
		c, err := config.Parse("spoke.yaml", []byte("connections:\n  books: {kind: erp, direction: {order: "+direction+"}}\n"), all)
		require.NoError(t, err, direction)
		set, err := c.CompileFlows()
		require.NoError(t, err, direction)
		require.Equal(t, want.writes, len(set.For(events.EntityDeal)) == 1, direction)
		p, err := c.MergePolicy()
		require.NoError(t, err)
		require.Equal(t, want.speaks, p.Speaks("books", events.EntityOrder), direction)
		require.True(t, p.Speaks("books", events.EntityCompany), "what is not named flows both ways")
	}
	c, err := config.Parse("spoke.yaml", []byte("connections:\n  books: {kind: erp, direction: {default: off, company: from}}\n"), all)
	require.NoError(t, err)
	require.Equal(t, config.NoWay, c.Direction("books", events.EntityOrder))
	require.Equal(t, config.FromOnly, c.Direction("books", events.EntityCompany))
}

// TestAFlowAgainstTheDirectionIsRefused where it is one's own.
func TestAFlowAgainstTheDirectionIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "order.yaml"), []byte(orderFlow), 0o600))
	c, err := config.Parse(filepath.Join(dir, "spoke.yaml"),
		[]byte("flows: [order.yaml]\nconnections:\n  books: {kind: erp, direction: {order: from}}\n"), []connector.Kind{kinds()[1]})
	require.NoError(t, err)
	_, err = c.CompileFlows()
	require.ErrorContains(t, err, `order.yaml:1:1: flow order writes a order to books, whose direction for it is "from": see connections.books.direction in `)
}
