package reconcile_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/mapping"
	"github.com/spoke-sync/spoke/services/internal/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant, erp = "t", "erp"

var t0 = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func kind() connector.Kind {
	return connector.Kind{Name: erp, Title: "ERP", Objects: []connector.Object{
		{
			Name: "customer", Entity: events.EntityCompany, Can: connector.Create | connector.Update | connector.Read,
			Fields: []connector.Field{{Name: "name", Type: connector.FieldString}, {Name: "country", Type: connector.FieldString}},
		},
		{
			Name: "invoice", Entity: events.EntityInvoice, Can: connector.Create | connector.Update | connector.Read,
			Fields: []connector.Field{{Name: "memo", Type: connector.FieldString}},
		},
	}}
}

const flows = `flow: customer
from: company
to: erp
object: customer
fields: {name: company.name, country: company.country}
---
flow: invoice
from: deal
to: erp
object: invoice
fields: {memo: deal.name}
`

// vendor answers reads from what it has.
type vendor map[string]events.Fields

func (vendor) BatchSize() int { return 2 }

func (v vendor) Read(_ context.Context, object string, ids []string) ([]events.Change, error) {
	var all []events.Change
	for _, id := range ids {
		fields, ok := v[object+"/"+id]
		k, _ := kind().Object(object)
		c := events.Change{Connection: erp, Entity: k.Entity, Object: object, ID: id, Op: events.OpChanged, At: t0, Snapshot: true, Fields: fields}
		if !ok {
			c.Op = events.OpDeleted
		}
		if id == "broken" {
			return nil, fault.New(fault.Unavailable, "erp: read", "down")
		}
		all = append(all, c)
	}
	return all, nil
}

func fields(pairs ...any) events.Fields {
	f := events.Fields{}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i].(string), pairs[i+1])
	}
	return f
}

// record stands for an object of erp that was written.
func record(k events.Key, object, id string, own, seen events.Fields) events.Record {
	o, _ := kind().Object(object)
	doc := events.Doc{Connection: erp, Object: object, Entity: o.Entity, ID: id, State: events.StateDone, Told: "h", At: t0, Seen: map[string]events.Seen{}}
	for name, v := range seen {
		doc.Seen[name] = events.Seen{Value: v, At: t0}
	}
	r := events.Record{
		Tenant: tenant, Key: k, Version: 1, UpdatedAt: t0, Fields: map[string]events.Field{},
		Docs: map[string]events.Doc{doc.Connection + "/" + object: doc}, Wanted: map[string]events.Want{erp + "/" + object: {Hash: "h", Flow: object}},
	}
	for name, v := range own {
		r.Fields[name] = events.Field{Value: v, Source: "crm", At: t0.Add(-time.Hour), Event: "e"}
	}
	return r
}

func company(id string) events.Key { return events.Key{Entity: events.EntityCompany, ID: id} }

func TestRun(t *testing.T) {
	t.Parallel()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: tenant, Replicas: 1})))
	put := func(subject string, v any) {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		_, err = b.Publish(t.Context(), bus.Message{Subject: subject, Data: data})
		require.NoError(t, err)
	}
	deal := events.Key{Entity: events.EntityDeal, ID: "77"}
	link := events.Link{Connection: erp, Object: "customer", ID: "c1"}
	pending := record(company("6"), "customer", "c6", fields("name", "F"), nil)
	pending.Wanted["erp/customer"] = events.Want{Hash: "newer"}
	gone := record(company("7"), "customer", "c7", fields("name", "G"), nil)
	gone.Deleted = &events.Mark{Source: "crm", At: t0}
	sent := record(company("9"), "customer", "c9", fields("name", "I", "country", "United States"), fields("name", "I", "country", "United States"))
	for name, v := range sent.Docs["erp/customer"].Seen {
		v.Sent = true
		sent.Docs["erp/customer"].Seen[name] = v
	}
	for _, r := range []events.Record{
		record(company("1"), "customer", "c1", fields("name", "A", "country", "United States"), fields("name", "A", "country", "US")),
		record(company("2"), "customer", "c2", fields("name", "B"), fields("name", "B")),
		record(company("3"), "customer", "c3", fields("name", "C"), nil),
		record(company("4"), "customer", "c4", fields("name", ""), fields("phone", "1")),
		record(deal, "invoice", "i1", fields("name", "D"), fields("memo", "D", "company", link)),
		pending, gone, sent,
	} {
		put(events.RecordSubject(tenant, r.Key), r)
	}
	put(events.AliasSubject(tenant, link.External()), company("1"))
	set, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(flows)}}, []mapping.Target{{Name: erp, Kind: kind()}})
	require.NoError(t, err)
	v := vendor{
		"customer/c1": fields("name", "A", "country", "US", "currency", "USD"), // as it writes it
		"customer/c2": fields("name", "By hand"),
		"customer/c9": fields("name", "I", "country", "US"), // as it writes what it was sent
		"customer/c4": fields("name", "Their own", "phone", "2"),
		"invoice/i1":  fields("memo", "Other", "company", link),
	}
	c := reconcile.Config{Tenant: tenant, Connection: erp, Kind: kind(), Reader: v, Flows: set}
	var got []string
	tell := func(d reconcile.Difference) error {
		got = append(got, d.Record.String()+" "+d.What+" "+d.Field+" "+string(d.Have))
		return nil
	}
	res, err := reconcile.Run(t.Context(), b, c, tell)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		`company/2 field name "By hand"`, "company/3 missing  ", `company/4 field phone "2"`, `deal/77 field memo "Other"`, "company/6 pending  ",
	}, got)
	require.Equal(t, reconcile.Result{Compared: 6, Differences: 5}, res)

	c.Entity, got = events.EntityDeal, nil
	_, err = reconcile.Run(t.Context(), b, c, tell)
	require.NoError(t, err)
	require.Len(t, got, 1)

	put(events.RecordSubject(tenant, company("8")), record(company("8"), "customer", "broken", fields("name", "H"), nil))
	c.Entity = ""
	_, err = reconcile.Run(t.Context(), b, c, tell)
	require.ErrorContains(t, err, "down")
}
