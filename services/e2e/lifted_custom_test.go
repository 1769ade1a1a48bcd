package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

const machineType = "2-1001"

// TestLimitLifted_CustomObjectsToNetSuite: a HubSpot custom object becomes a
// NetSuite custom record that points to its company's customer, whose id comes
// back; so does what people change in NetSuite.
func TestLimitLifted_CustomObjectsToNetSuite(t *testing.T) {
	t.Parallel()
	l := lift{
		polled: "x_machine",
		settings: map[string]string{
			"hubspot": "      custom_objects:\n        machine: {type: 2-1001, name_property: machine_name, properties: [serial, hours]}\n",
			"netsuite": `      custom_records:
        - type: customrecord_machine
          entity: x_machine
          fields:
            - {name: custrecord_serial, required: true}
            - {name: custrecord_hours}
            - {name: custrecord_owner, type: ref, ref: customer}
`,
		},
		flows: []string{`flow: machine-to-netsuite
from: x_machine
to: netsuite
object: customrecord_machine
fields:
  name: x_machine.name
  custrecord_serial: x_machine.custom.serial
  custrecord_hours: x_machine.custom.hours
  custrecord_owner: ref(x_machine.company)
`, `flow: machine-to-hubspot
from: x_machine
to: hubspot
object: machine
fields:
  machine_name: x_machine.name
  spoke_netsuite_record: docs.netsuite.customrecord_machine.id
`},
		seed: func(t *testing.T, s *demo.Sandboxes) {
			t.Helper()
			buyer(t, s)
			id, err := s.HubSpot.AddSchema(hubspotbox.Schema{Name: "machine", TypeID: machineType, Texts: []string{"machine_name", "serial", "hours"}})
			require.NoError(t, err)
			require.Equal(t, machineType, id)
			_, err = s.HubSpot.Add("machine", "12", map[string]string{"machine_name": "Roaster", "serial": "R-12", "hours": "120"})
			require.NoError(t, err)
			require.NoError(t, s.HubSpot.Link("machine", "12", "company", "201"))
		},
	}
	l.netsuite.CustomRecords = map[string]map[string]string{"customrecord_machine": {
		"custrecord_serial": "", "custrecord_hours": "", "custrecord_owner": "customer",
	}}
	l.hubspot.Generic = true
	n := l.start(t)
	hubspot, netsuite := n.boxes.HubSpot, n.boxes.NetSuite

	require.NoError(t, hubspot.Set("machine", "12", map[string]string{"hours": "125"}))
	await(t, "the record's id is back on the custom object", func() bool {
		return hubspot.Object("machine", "12")["spoke_netsuite_record"] != ""
	})
	records, customers := netsuite.Records("customrecord_machine"), netsuite.Customers()
	require.Len(t, records, 1)
	require.Len(t, customers, 1)
	require.Equal(t, "spoke-x_machine-12", records[0].ExternalID)
	require.Equal(t, records[0].ID, hubspot.Object("machine", "12")["spoke_netsuite_record"])
	require.Equal(t, []string{"Roaster", "R-12", "125", customers[0].ID},
		[]string{records[0].Text("name"), records[0].Text("custrecord_serial"), records[0].Text("custrecord_hours"), records[0].Text("custrecord_owner")})

	n.poll(t, "x_machine") // what Spoke wrote is seen as it is
	n.inNetSuite(t, func(b *netsuitebox.Box) error {
		return b.Edit(records[0].ID, map[string]any{"name": "Roaster, line 2"})
	})
	n.poll(t, "x_machine")
	await(t, "the name is NetSuite's", func() bool { return hubspot.Object("machine", "12")["machine_name"] == "Roaster, line 2" })
	n.quiet(t)
	require.Equal(t, once("spoke-x_machine-12"), netsuite.Counts().Effects["customrecord_machine created"])
}
