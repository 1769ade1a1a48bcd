package schemas_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/schemas"
	"github.com/spoke-sync/spoke/schemas/derive"
)

// The committed files are what the generator makes of the Go types, and there
// are no others.
func TestFilesAreGenerated(t *testing.T) {
	t.Parallel()
	want, err := derive.All()
	require.NoError(t, err)
	names, err := fs.Glob(schemas.FS, "*")
	require.NoError(t, err)
	require.Len(t, names, len(want))
	for _, name := range names {
		got, err := schemas.FS.ReadFile(name)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(string(want[name]), string(got)), "%s: run go generate ./schemas", name)
		var head struct {
			ID     string `json:"$id"`
			Schema string `json:"$schema"`
		}
		require.NoError(t, json.Unmarshal(got, &head))
		require.Equal(t, events.SchemaBase+name, head.ID)
		require.Equal(t, "https://json-schema.org/draft/2020-12/schema", head.Schema)
	}
}

// The golden examples of the contract validate.
func TestExamplesValidate(t *testing.T) {
	t.Parallel()
	for example, schema := range map[string]string{
		"change": "change.v1.json", "signal": "change.v1.json", "outcome": "outcome.v1.json",
		"record": "record.v1.json", "desired": "desired.v1.json",
	} {
		document, err := os.ReadFile(filepath.Join("..", "events", "testdata", example+".golden"))
		require.NoError(t, err)
		require.NoError(t, schemas.Validate(schema, document))

		// Each required field is missed.
		content, err := schemas.FS.ReadFile(schema)
		require.NoError(t, err)
		var s struct {
			Required   []string                   `json:"required"`
			Properties map[string]json.RawMessage `json:"properties"`
		}
		require.NoError(t, json.Unmarshal(content, &s))
		require.NotEmpty(t, s.Required)
		for _, name := range s.Required {
			var m map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(document, &m))
			delete(m, name)
			less, err := json.Marshal(m)
			require.NoError(t, err)
			require.ErrorContains(t, schemas.Validate(schema, less), name)
		}
		// And nothing in the example is unknown to the schema.
		var m map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(document, &m))
		for name := range m {
			require.Contains(t, s.Properties, name, schema)
		}
	}
}

func TestSchemaOfEvent(t *testing.T) {
	t.Parallel()
	e := events.NewChange("shop", "1", events.Change{Connection: "shop", Entity: events.EntityDeal, Object: "deal", ID: "7", Op: events.OpDeleted})
	require.NoError(t, schemas.Validate(strings.TrimPrefix(e.DataSchema, events.SchemaBase), e.Data))
	e = events.NewOutcome("netsuite", "1", events.Outcome{
		Connection: "netsuite", Entity: events.EntityOrder, Object: "salesOrder", Record: events.Key{Entity: events.EntityDeal, ID: "7"}, State: events.StateHeld,
	})
	require.NoError(t, schemas.Validate(strings.TrimPrefix(e.DataSchema, events.SchemaBase), e.Data))
}

// A schema and the check that ingest makes agree about what a publisher may
// send.
func TestEntitySchemasAgreeWithCanonical(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		`{}`: true,
		`{"name":"x","won":true,"closeDate":"2026-01-31"}`:                                                              true,
		`{"name":null,"won":null,"amount":null,"lines":null}`:                                                           true,
		`{"company":null,"closeDate":null}`:                                                                             true,
		`{"amount":{"amount":"-12.30","currency":"eur"}}`:                                                               true,
		`{"amount":{"amount":1e2,"currency":"EUR"}}`:                                                                    true,
		`{"company":{"record":"company/9"}}`:                                                                            true,
		`{"company":{"object":"customer","id":"42","connection":"erp"}}`:                                                true,
		`{"lines":[{"quantity":2,"price":{"amount":1,"currency":"USD"},"product":{"object":"p","id":"1"},"sku":null}]}`: true,
		`{"custom":{"a_1":[1,{}],"b":null}}`:                                                                            true,
		`{"stahge":"x"}`:                                                                                                false,
		`{"name":7}`:                                                                                                    false,
		`{"won":"yes"}`:                                                                                                 false,
		`{"closeDate":"2026-02-30"}`:                                                                                    false,
		`{"closeDate":"2026-01-01T00:00:00Z"}`:                                                                          false,
		`{"amount":12}`:                                                                                                 false,
		`{"amount":{"amount":"12"}}`:                                                                                    false,
		`{"amount":{"amount":"12","currency":"EURO"}}`:                                                                  false,
		`{"amount":{"amount":"1,2","currency":"EUR"}}`:                                                                  false,
		`{"amount":{"amount":"12","currency":"EUR","tax":1}}`:                                                           false,
		`{"company":"company/9"}`:                                                                                       false,
		`{"company":{"record":"firm/9"}}`:                                                                               false,
		`{"company":{"record":"company/9","id":"1"}}`:                                                                   false,
		`{"company":{"id":"1"}}`:                                                                                        false,
		`{"lines":{}}`:                                                                                                  false,
		`{"lines":[null]}`:                                                                                              false,
		`{"lines":[{"colour":"red"}]}`:                                                                                  false,
		`{"custom":null}`:                                                                                               false,
		`{"custom":{"a-b":1}}`:                                                                                          false,
		`[]`:                                                                                                            false,
	} {
		schemaErr := schemas.Validate("deal", []byte(in))
		_, ourErr := events.CanonicalObject(events.EntityDeal, []byte(in))
		require.Equal(t, ok, schemaErr == nil, "schema: %s: %v", in, schemaErr)
		require.Equal(t, ok, ourErr == nil, "canonical: %s: %v", in, ourErr)
	}
}

// Every entity has a schema with exactly its fields.
func TestEntitySchemasAreComplete(t *testing.T) {
	t.Parallel()
	for _, e := range events.Entities() {
		require.NoError(t, schemas.Validate(string(e), []byte(`{}`)))
		content, err := schemas.FS.ReadFile(derive.FileName(string(e)))
		require.NoError(t, err)
		var s struct {
			Properties map[string]any `json:"properties"`
		}
		require.NoError(t, json.Unmarshal(content, &s))
		for name := range e.Fields() {
			require.Contains(t, s.Properties, name)
		}
		require.Len(t, s.Properties, len(e.Fields()))
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, schemas.Validate("nothing", []byte(`{}`)), schemas.ErrUnknown)
	require.ErrorContains(t, schemas.Validate("deal", []byte(`{`)), "no JSON")
	require.ErrorContains(t, schemas.Validate("deal", []byte(`{} {}`)), "no JSON")
	require.ErrorContains(t, schemas.Validate("change", []byte(`{"op":"written"}`)), "/op")
}
