package mapping_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

func TestFlowsToTheHubCreateOnlyWhenTheySaySo(t *testing.T) {
	t.Parallel()
	flow := func(to, create string) string {
		return "flow: f\nfrom: deal\nto: " + to + "\nobject: " + map[string]string{"hub": "deal", "erp": "customer"}[to] +
			create + "\nfields:\n  name: deal.name\n"
	}
	for _, c := range []struct {
		text, problem string
		existing      bool
	}{
		{flow("hub", ""), "", true},
		{flow("hub", "\ncreate: false"), "", true},
		{flow("hub", "\ncreate: true"), "", false},
		{flow("erp", ""), "", false},
		{flow("hub", "\ncreate: always"), `create is "always": want true or false`, false},
		{flow("erp", "\ncreate: true"), "a flow to ERP always creates what is not there", false},
	} {
		set, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(c.text)}}, targets())
		if c.problem != "" {
			require.ErrorContains(t, err, c.problem)
			continue
		}
		require.NoError(t, err, c.text)
		f, ok := set.Find("f")
		require.True(t, ok)
		require.Equal(t, c.existing, f.Existing, c.text)
	}
	readOnly := targets()
	readOnly[1].Kind.Objects[0].Can = connector.Update
	_, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(flow("hub", "\ncreate: true"))}}, readOnly)
	require.ErrorContains(t, err, "Spoke makes no deal at Hub")
}
