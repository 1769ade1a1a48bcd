package netsuite_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

func withMachines(o *netsuitebox.Options, s *netsuite.Settings) {
	s.CustomRecords = machines().CustomRecords
	o.CustomRecords = map[string]map[string]string{"customrecord_machine": {
		"custrecord_serial": "", "custrecord_owner": "customer", "custrecord_hours": "", "custrecord_leased": "", "custrecord_built": "",
	}}
}

func machine(id string, owner any) connector.Document {
	return document("customrecord_machine", "x_machine", "x_machine", id, map[string]any{
		"name": "Roaster", "custrecord_serial": "R-" + id, "custrecord_owner": owner,
		"custrecord_hours": json.Number("120.5"), "custrecord_leased": true, "custrecord_built": "2024-01-31",
	})
}

// TestCustomObjectsToNetSuite: a custom object becomes a record of the declared
// type under its external id, with references and types, and what people change
// of it comes back.
func TestCustomObjectsToNetSuite(t *testing.T) {
	t.Parallel()
	b := setup(t, withMachines)
	customerID, _ := b.stock(t)
	doc := machine("12", customerID)
	made := b.apply(t, doc)
	require.Equal(t, events.EffectUpdated, b.apply(t, doc).Effect)

	all := b.box.Records("customrecord_machine")
	require.Len(t, all, 1)
	require.Equal(t, "spoke-x_machine-12", all[0].ExternalID)
	require.Equal(t, customerID, all[0].Text("custrecord_owner"))
	require.Equal(t, "120.5", all[0].Text("custrecord_hours"))

	require.NoError(t, b.box.Edit(made.ID, map[string]any{"custrecord_hours": "150"}))
	page, err := b.scanner.Scan(t.Context(), connector.Scan{Feed: "customrecord_machine"})
	require.NoError(t, err)
	require.Empty(t, page.Changes, "what is being committed is left to the next pass")
	changes, err := b.reader.Read(t.Context(), "customrecord_machine", []string{made.ID})
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Equal(t, doc.Record, changes[0].Record)
	owner, err := json.Marshal(events.Link{Connection: "erp", Object: "customer", ID: customerID})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(events.Fields{
		"name": json.RawMessage(`"Roaster"`), "company": owner, "custom.custrecord_serial": json.RawMessage(`"R-12"`),
		"custom.custrecord_hours": json.RawMessage(`"150"`), "custom.custrecord_leased": json.RawMessage(`true`),
		"custom.custrecord_built": json.RawMessage(`"2024-01-31"`),
	}, changes[0].Fields))

	void := doc
	void.Op = events.DesiredVoid
	require.Equal(t, events.EffectVoided, b.apply(t, void).Effect)
	void.Op = events.DesiredDelete
	require.Equal(t, events.EffectDeleted, b.apply(t, void).Effect)
	require.Empty(t, b.box.Records("customrecord_machine"))
}

func TestCustomRecordsAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, withMachines)
	doc := machine("12", "1")
	doc.Fields = with(doc, map[string]any{"custrecord_serial": nil})
	f := fault.As(b.refuse(t, doc))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "custrecord_serial", f.Field)
	doc.Fields = map[string]any{"custrecord_serial": "1", "custrecord_other": "x"}
	require.Equal(t, "custrecord_other", fault.As(b.refuse(t, doc)).Field)

	err := openWith(&netsuite.Settings{Account: "1", TBA: tba(), CustomRecords: []netsuite.CustomRecord{
		{Type: "machine", Entity: "machine", TypeID: "x", Fields: []netsuite.CustomField{
			{Name: "serial"}, {Name: "custrecord_a", Type: "colour"}, {Name: "custrecord_b", Type: "ref", Ref: "nothing"},
		}},
		{Type: "customrecord_a", Entity: "x_a"},
		{Type: "customrecord_a", Entity: "x_b"},
	}})
	for _, part := range []string{
		"custom_records.type", ".entity", ".type_id", ".fields", "custrecord_a.type", "custrecord_b.ref", "only once",
	} {
		require.ErrorContains(t, err, part)
	}
}
