package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const configuration = `tenant: main
data: DIR/data
connections:
  hubspot:
    kind: hubspot
    settings:
      token: literal:pat-eu1-hunter2
      client_secrets: ["literal:hunter2-secret"]
      portal_id: 1234567
  stripe:
    kind: stripe
    default_flows: false
    settings:
      key: literal:sk_test_hunter2
      webhook_secrets: ["literal:whsec_hunter2"]
flows: [flows/*.yaml]
`

const flow = `flow: shop-customer
from: company
when: company.name != "Nobody"
to: stripe
object: customer
fields:
  name: company.name
  email: company.email
`

// project writes a configuration with a flow, and what else is given.
func project(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	all := map[string]string{"spoke.yaml": configuration, "flows/customer.yaml": flow}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600))
	}
	return dir
}

func TestMapTest(t *testing.T) {
	t.Parallel()
	record, err := json.Marshal(theDeal())
	require.NoError(t, err)
	dir := project(t, map[string]string{
		"company.json": `{"name": "Acme", "email": "billing@acme.example", "custom": {"tier": "gold"}}`,
		"nobody.json":  `{"name": "Nobody"}`,
		"empty.json":   `{}`,
		"wrong.json":   `{"nmae": "Acme", "email": 7}`, //nolint:misspell // meant
		"broken.json":  `{`,
		"deal.json":    string(record),
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, tc := range []struct {
		name   string
		flow   string
		sample string
		status int
		more   []string
	}{
		{"map-test", "shop-customer", "company.json", 0, nil},
		{"map-test-json", "shop-customer", "company.json", 0, []string{"--json"}},
		{"map-test-not", "shop-customer", "nobody.json", 0, nil},
		{"map-test-not-json", "shop-customer", "nobody.json", 0, []string{"--json"}},
		{"map-test-empty", "shop-customer", "empty.json", 0, nil},
		{"map-test-wrong", "shop-customer", "wrong.json", 1, nil},
		{"map-test-broken", "shop-customer", "broken.json", 1, nil},
		{"map-test-other", "shop-customer", "deal.json", 1, nil},
		{"map-test-missing", "shop-customer", "none.json", 1, nil},
		{"map-test-unknown", "shop-custmer", "company.json", 1, nil},
		{"map-test-record", "hubspot-deal", "deal.json", 0, nil},
	} {
		status, out, errw := spoke(append([]string{"map", "test", tc.flow, at(tc.sample), "-c", at("spoke.yaml")}, tc.more...)...)
		require.Equal(t, tc.status, status, "%s: %s", tc.name, errw)
		golden(t, tc.name, out+errw, dir)
	}
}

func TestMapList(t *testing.T) {
	t.Parallel()
	dir := project(t, nil)
	status, out, errw := spoke("map", "list", "-c", filepath.Join(dir, "spoke.yaml"))
	require.Zero(t, status, errw)
	golden(t, "map-list", out, dir)
	status, out, _ = spoke("map", "list", "--json", "-c", filepath.Join(dir, "spoke.yaml"))
	require.Zero(t, status)
	var rows []struct{ Flow, From, To, File string }
	require.NoError(t, json.Unmarshal([]byte(out), &rows))
	require.NotEmpty(t, rows)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		files  map[string]string
		status int
	}{
		{"check", nil, 0},
		{"check-flow", map[string]string{"flows/wrong.yaml": "flow: wrong\nfrom: company\nto: stripe\nobject: customer\nfields:\n  name: company.nmae\n"}, 1},
		{"check-settings", map[string]string{"spoke.yaml": "connections:\n  stripe:\n    kind: stripe\n    settings: {key: 'literal:sk_test_hunter2'}\n"}, 1},
		{"check-syntax", map[string]string{"spoke.yaml": "tenant: [main\nkey: literal:hunter2\n"}, 1},
	} {
		dir := project(t, tc.files)
		status, out, errw := spoke("check", "--offline", "-c", filepath.Join(dir, "spoke.yaml"))
		require.Equal(t, tc.status, status, "%s: %s%s", tc.name, out, errw)
		require.NotContains(t, out+errw, "hunter2", tc.name)
		golden(t, tc.name, out+errw, dir)
		status, out, _ = spoke("check", "--offline", "--json", "-c", filepath.Join(dir, "spoke.yaml"))
		require.Equal(t, tc.status, status)
		var findings []struct {
			What string
			OK   bool
		}
		require.NoError(t, json.Unmarshal([]byte(out), &findings))
		failed := false
		for _, f := range findings {
			failed = failed || !f.OK
		}
		require.Equal(t, tc.status != 0, failed)
	}
	status, out, _ := spoke("check", "-c", filepath.Join(t.TempDir(), "none.yaml"))
	require.Equal(t, 1, status)
	require.Contains(t, out, "no such file")
}
