package quickbooks_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

func TestDefaultFlowsCompile(t *testing.T) {
	t.Parallel()
	kind := quickbooks.Kind()
	var files []mapping.File
	names, err := fs.Glob(kind.Flows, "*.yaml")
	require.NoError(t, err)
	require.Len(t, names, 4)
	for _, name := range names {
		text, err := fs.ReadFile(kind.Flows, name)
		require.NoError(t, err)
		files = append(files, mapping.File{Name: name, Text: text, Connections: []string{"quickbooks"}})
	}
	_, err = mapping.Compile(files, []mapping.Target{{Name: "quickbooks", Kind: kind}})
	require.NoError(t, err)
}
