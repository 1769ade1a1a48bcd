package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

type settings struct {
	URL string       `yaml:"url"`
	Key secret.Value `yaml:"key"`
}

func kinds() []connector.Kind {
	return []connector.Kind{
		{Name: "crm", Title: "CRM", Hub: true, Settings: func() any { return &settings{URL: "https://default"} }},
		{Name: "erp", Title: "ERP", Objects: []connector.Object{
			{Name: "customer", Entity: events.EntityCompany},
			{Name: "order", Entity: events.EntityOrder, Can: connector.Create, Fields: []connector.Field{{Name: "memo", Type: connector.FieldString}}},
		}, Settings: func() any { return &settings{} }, Limits: connector.Limits{PerSecond: 10, Concurrent: 4}},
	}
}

func TestParse(t *testing.T) {
	t.Setenv("TEST_KEY", "s3cret")
	c, err := config.Parse("spoke.yaml", []byte(`tenant: acme
connections:
  hub:
    kind: crm
    settings:
      key: env:TEST_KEY
  books:
    kind: erp
    limits: {per_second: 2}
policy:
  deal:
    default: {owner: hub}
    name: newest
upstreams:
  shop: {token: "literal:0123456789abcdef"}
`), kinds())
	require.NoError(t, err)
	s, ok := c.Settings("hub").(*settings)
	require.True(t, ok)
	require.Equal(t, "s3cret", s.Key.Reveal())
	require.Equal(t, "https://default", s.URL, "defaults stay where nothing is said")
	require.Equal(t, "hub", c.Hub())
	require.Equal(t, connector.Limits{PerSecond: 2, Concurrent: 4}, c.Limits("books"))
	p, err := c.MergePolicy()
	require.NoError(t, err)
	require.Equal(t, "hub", p.Owner("deal", "amount"))
	require.Empty(t, p.Owner("deal", "name"))
}

func TestProblemsSayWhereAndWhat(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":     {"tenant: a\ntenannt: b\n", `spoke.yaml:2:1: unknown field "tenannt"`},
		"unknown setting": {"connections:\n  hub:\n    kind: crm\n    settings:\n      url: x\n      kee: y\n", `spoke.yaml:6:7: unknown field "kee"`},
		"bare secret":     {"connections:\n  hub:\n    kind: crm\n    settings:\n      key: hunter2\n", "env:NAME, file:/path or literal:text"},
		"unset variable":  {"connections:\n  hub:\n    kind: crm\n    settings:\n      key: env:SPOKE_TEST_UNSET\n", "SPOKE_TEST_UNSET is not set"},
		"kind":            {"connections:\n  hub: {kind: hubspt}\n", `connections.hub.kind: "hubspt" is unknown: one of crm, erp`},
		"two hubs":        {"connections:\n  a: {kind: crm}\n  b: {kind: crm}\n", "2 are hubs"},
		"name":            {"tenant: Big Co\n", `"Big Co" is no name`},
		"rule":            {"policy: {deal: {name: mine}}\n", "want newest, first, union or owner"},
		"owner":           {"policy: {deal: {name: {owner: sap}}}\n", `no connection or upstream is named "sap"`},
		"field":           {"policy: {deal: {nam: newest}}\n", "deal has no such field"},
		"owner unknown":   {"policy:\n  deal:\n    name: {owner: sap}\n", `spoke.yaml:3:5: policy.deal.name: no connection or upstream is named "sap"`},
		"two owners":      {"policy:\n  deal:\n    name: {owner: [a, b]}\n", "spoke.yaml:3:5: policy.deal.name: \"{owner: [a, b]}\": want newest, first, union or owner: <connection>"},
		"field twice":     {"policy:\n  deal:\n    name: newest\n    name: first\n", "spoke.yaml:4:5: mapping key \"name\" already defined"},
		"custom field":    {"policy:\n  deal:\n    custom.a.b: {owner: sap}\n", `spoke.yaml:3:5: policy.deal.custom.a.b: no connection`},
		"union":           {"policy:\n  deal:\n    name: union\n", "spoke.yaml:3:5: policy.deal.name: union is for lists of texts, which only custom fields hold"},
		"direction":       {"connections:\n  books:\n    kind: erp\n    direction: {order: sideways}\n", `spoke.yaml:4:17: connections.books.direction.order: "sideways": want two-way, to, from or off`},
		"direction of":    {"connections:\n  books:\n    kind: erp\n    direction:\n      deal: from\n", "spoke.yaml:5:7: connections.books.direction.deal: ERP has no such entity: one of company, order"},
		"direction to":    {"connections:\n  books: {kind: erp, direction: {company: to}}\n", "connections.books.direction.company: Spoke writes no such object to ERP: want from or off"},
		"match field":     {"match:\n  company: [name, revenue]\n", `spoke.yaml:2:3: match.company: company has no field "revenue"`},
		"match kind":      {"match: {deal: [amount]}\n", "spoke.yaml:1:9: match.deal: amount can't be indexed"},
		"held limit":      {"connections: {books: {kind: erp, held_limit: -1h}}\n", "connections.books.held_limit is -1h0m0s: want a duration"},
		"own name":        {"connections: {spoke: {kind: erp}}\n", `"spoke" is a name of Spoke's own`},
		"short token":     {"upstreams: {shop: {token: 'literal:x'}}\n", "want at least 16"},
		"syntax":          {"tenant: [a\n", "1:9"},
		"type":            {"nats: {replicas: many}\n", "spoke.yaml:1:18: "},
		"replicas":        {"nats: {replicas: 2}\n", "nats.replicas is 2"},
		"negative limit":  {"connections: {a: {kind: erp, limits: {per_day: -1}}}\n", "connections.a.limits: want no negative"},
		"share":           {"connections: {a: {kind: erp, limits: {background: 2}}}\n", "a.limits.background is 2: want a share"},
		"pool":            {"connections: {a: {kind: erp, limits: {pools: {x: {burst: 1}}}}}\n", `erp has no pool "x": it has none`},
		"shared budget":   {"connections: {a: {kind: erp, limits: {shared_as: s}}, b: {kind: crm, limits: {shared_as: s}}}\n", "connection a shares \"s\" and is of another kind"},
		"routing one":     {"connections: {a: {kind: erp}}\nrouting: {erp: {deal: '\"a\"'}}\n", "routing.erp: chooses among connections of the kind erp, and there are 1"},
		"routing entity":  {"connections: {a: {kind: erp}, b: {kind: erp}}\nrouting: {erp: {deals: '\"a\"'}}\n", "routing.erp.deals: no such entity"},
		"routing form":    {"connections: {a: {kind: erp}, b: {kind: erp}}\nrouting: {erp: yes}\n", "routing.erp: want a mapping of entities to rules"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse("spoke.yaml", []byte(tc.text), kinds())
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "spoke.yaml")
		})
	}
}

// TestProblemsHoldNoSecret makes a mistake beside and in a credential that was
// written as bare text.
func TestProblemsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{
		"bare":        "{key: hunter2}",
		"with colon":  "{key: 'hunter2:x'}",
		"wrong key":   "{kee: hunter2}",
		"line before": "\n      key: literal:hunter2\n      kee: x",
		"line after":  "\n      kee: x\n      key: literal:hunter2",
		"many lines":  "\n      kee: x\n      key: |\n        literal:hunter2\n        hunter2",
		"wrong type":  "{key: [hunter2]}",
		"no YAML":     "{key: 'hunter2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse("spoke.yaml", []byte("connections:\n  hub:\n    kind: crm\n    settings: "+settings+"\n"), kinds())
			require.ErrorContains(t, err, "spoke.yaml")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("tenant: a\nconnections: {h: {kind: crm, settings: {url: x}}}")
	f.Add("policy: {deal: {name: {owner: h}}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("f", []byte(text), kinds())
		if err == nil && c == nil {
			t.Fatal("neither a configuration nor an error")
		}
	})
}

func TestConnectionsToOneAccountShareABudget(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("spoke.yaml", []byte(`
connections:
  a: {kind: erp, limits: {shared_as: acme, concurrent: 3}}
  b: {kind: erp, limits: {shared_as: acme}}
  c: {kind: erp}
`), kinds())
	require.NoError(t, err)
	for connection, want := range map[string][2]string{
		"a": {"shared/acme", "a"}, "b": {"shared/acme", "a"}, "c": {"connection/c", "c"},
	} {
		name, limits := c.Budget(connection)
		require.Equal(t, want, [2]string{name, limits})
	}
}
