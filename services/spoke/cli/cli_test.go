package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/spoke/cli"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "rewrite the golden files")

// spoke runs a command.
func spoke(args ...string) (status int, out, errw string) {
	var o, e bytes.Buffer
	status = cli.Main(args, &o, &e)
	return status, o.String(), e.String()
}

// golden compares an output with testdata/<name>.golden. Paths and sizes of
// this machine are replaced first.
func golden(t *testing.T, name, got string, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		got = strings.ReplaceAll(got, d, "DIR")
	}
	file := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

var t0 = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func field(v any, source string, minute int) events.Field {
	f := events.Fields{}
	f.Set("x", v)
	return events.Field{Value: f["x"], Source: source, At: t0.Add(time.Duration(minute) * time.Minute), Event: "e"}
}

func money(amount string) events.Money {
	return events.Money{Amount: events.MustDecimal(amount), Currency: "EUR"}
}

// theDeal has every state that a document can be in.
func theDeal() events.Record {
	doc := func(connection, object string, e events.Entity, id string, s events.State) events.Doc {
		return events.Doc{Connection: connection, Object: object, Entity: e, ID: id, State: s, At: t0}
	}
	d := events.Record{
		Tenant: "main", Key: events.Key{Entity: events.EntityDeal, ID: "77"}, Version: 12, UpdatedAt: t0.Add(time.Hour),
		Fields: map[string]events.Field{
			"name": field("Ünïcode & <b>", "hubspot", 1), "stage": field("a\tb\n\x1b[2Jc", "hubspot", 1), "amount": field(money("12.30"), "hubspot", 2), "won": field(true, "hubspot", 3),
			"company": field(events.Link{Record: events.Key{Entity: events.EntityCompany, ID: "9"}}, "hubspot", 4),
			"contact": field(events.Link{Connection: "stripe", Object: "customer", ID: "cus_1"}, "stripe", 5),
			"lines": field([]events.Line{
				{Name: "Chair", Quantity: events.MustDecimal("2"), Price: money("5.00")}, {Name: "Desk\x1b]0;x\a", Quantity: events.MustDecimal("1"), Price: money("2.30")},
			}, "hubspot", 6),
			"custom.region": field("", "netsuite", 7),
		},
		Docs: map[string]events.Doc{
			"hubspot/deal":        doc("hubspot", "deal", events.EntityDeal, "77", events.StateSeen),
			"netsuite/salesOrder": doc("netsuite", "salesOrder", events.EntityOrder, "1042", events.StateDone),
			"stripe/invoice":      doc("stripe", "invoice", events.EntityInvoice, "in_1", events.StateDone),
			"quickbooks/invoice":  doc("quickbooks", "invoice", events.EntityInvoice, "", events.StateQuarantined),
			"quickbooks/estimate": doc("quickbooks", "estimate", events.EntityOrder, "", events.StateHeld),
			"stripe/quote":        doc("stripe", "quote", events.EntityOrder, "q_1", events.StateDone),
		},
		Wanted: map[string]events.Want{
			"netsuite/salesOrder": {Hash: "h", Flow: "netsuite-sales-order"}, "stripe/invoice": {Hash: "new", Flow: "stripe-invoice"},
			"quickbooks/invoice": {Hash: "h", Flow: "quickbooks-invoice"}, "quickbooks/estimate": {Hash: "h", Flow: "estimate"},
			"stripe/quote": {Hash: "h", Flow: "quote"}, "netsuite/memo": {Hash: "h", Flow: "memo"},
		},
	}
	so := d.Docs["netsuite/salesOrder"]
	so.Number, so.Told = "SO-1042", "h"
	d.Docs["netsuite/salesOrder"] = so
	in := d.Docs["stripe/invoice"]
	in.Told = "old"
	d.Docs["stripe/invoice"] = in
	qb := d.Docs["quickbooks/invoice"]
	qb.Error = &events.Problem{Kind: "rejected", Message: "quickbooks: create invoice: closed period", Hint: "open the period"}
	d.Docs["quickbooks/invoice"] = qb
	gone := d.Docs["stripe/quote"]
	gone.Gone = &events.Mark{Source: "stripe", At: t0}
	d.Docs["stripe/quote"] = gone
	return d
}

// folder makes a data folder as a Spoke that ran and stopped leaves it.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := embed.Start(embed.Options{Dir: dir})
	require.NoError(t, err)
	fill(t, s, dir, "")
	s.Stop()
	return dir
}

// fill stores what the commands show, and how to reach the process.
func fill(t *testing.T, s *embed.Server, dir, url string) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s, URL: url, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{
		Tenant: "main", Connections: []string{"hubspot", "netsuite", "stripe"}, Replicas: 1,
	})))
	put := func(subject string, v any) {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		_, err = b.Publish(t.Context(), bus.Message{Subject: subject, Data: data})
		require.NoError(t, err)
	}
	d := theDeal()
	put(events.RecordSubject("main", d.Key), d)
	gone := events.Record{Tenant: "main", Key: events.Key{Entity: events.EntityDeal, ID: "78"}, Version: 2, Deleted: &events.Mark{Source: "hubspot", At: t0}}
	put(events.RecordSubject("main", gone.Key), gone)
	put(events.DesiredSubject("main", "stripe", "invoice", d.Key), document(d.Key))
	put(events.DesiredSubject("main", "netsuite", "salesOrder", d.Key), "x")
	put(events.DesiredSubject("main", "stripe", "invoice", gone.Key), "x")
	put(events.HeldSubject("main", "stripe", events.Ref{Object: "customer", Record: d.Key}, "invoice", d.Key), "x")
	put(events.WaitingSubject("main", events.External{Connection: "stripe", Object: "invoice", ID: "in_9"}, d.Key), "x")
	put(events.QuarantineSubject("stripe-sink", "stripe", "rejected", events.EntityInvoice, "1"), refused(d.Key))
	put(events.AlertSubject("warning", "rejected", "stripe"), "x")
	kv, err := b.JetStream().KeyValue(t.Context(), bus.BucketConnections)
	require.NoError(t, err)
	for name, c := range map[string]events.Condition{
		"hubspot": {State: "running", Since: t0},
		"stripe":  {State: "unauthorized", Since: t0, Reason: "stripe: 401 no such key", Hint: "set a new key"},
	} {
		data, err := json.Marshal(c)
		require.NoError(t, err)
		_, err = kv.Put(t.Context(), events.Token(name), data)
		require.NoError(t, err)
	}
	r, err := json.Marshal(node.Running{URL: url, Tenant: "main", PID: 1, Owners: map[events.Entity]map[string]string{
		events.EntityDeal: {"amount": "netsuite", "default": "hubspot"},
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "running.json"), r, 0o600))
}

// document is a desired document, the second message of HUB after its record
// and that of another deal.
func document(k events.Key) events.Desired {
	return events.Desired{
		Tenant: "main", Connection: "stripe", Object: "invoice", Entity: events.EntityInvoice, Record: k, Flow: "stripe-invoice",
		Op: events.DesiredUpsert, Fields: map[string]any{"currency": "EUR"}, Hash: "h",
	}
}

// refused is the document as its sink set it apart.
func refused(k events.Key) events.Quarantined {
	original, err := json.Marshal(document(k))
	if err != nil {
		panic(err)
	}
	return events.Quarantined{
		Service: "stripe-sink", Connection: "stripe", Entity: events.EntityInvoice, Record: k, Attempts: 2,
		Problem: events.Problem{Kind: "rejected", Message: "stripe: create invoice: 400 no such currency\x1b[2J", Field: "currency", Hint: "use a currency of the account"},
		Stream:  events.StreamHub, Subject: events.DesiredSubject("main", "stripe", "invoice", k), Sequence: 3,
		Trace: "0af7651916cd43dd8448eb211c80319c", At: t0, Original: original,
	}
}

func TestStoppedSpoke(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, args := range map[string][]string{
		"record":         {"record", "deal/77"},
		"record-deleted": {"record", "deal/78"},
		"record-json":    {"record", "deal/77", "--json"},
		"status":         {"status"},
		"status-json":    {"status", "--json"},

		"quarantine":       {"quarantine", "ls"},
		"quarantine-none":  {"quarantine", "ls", "--since", "2026-11-24"},
		"quarantine-show":  {"quarantine", "show", "1"},
		"quarantine-json":  {"quarantine", "ls", "--connection", "stripe", "--text", "CURRENCY", "--json"},
		"quarantine-retry": {"quarantine", "retry", "--all", "--dry-run"},
	} {
		status, out, errw := spoke(append(args, "--data", dir)...)
		require.Zero(t, status, "%s: %s", name, errw)
		golden(t, name, out, dir)
		require.Empty(t, errw)
	}
	// Looking changed nothing and left the folder free.
	s, err := embed.Start(embed.Options{Dir: dir})
	require.NoError(t, err)
	s.Stop()
}

// TestRunningSpoke asks the process that has the folder.
func TestRunningSpoke(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := embed.Start(embed.Options{Dir: dir, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	defer s.Stop()
	fill(t, s, dir, s.URL())
	status, out, errw := spoke("status", "--data", dir)
	require.Zero(t, status, errw)
	golden(t, "status-running", out, dir)
	status, out, _ = spoke("record", "deal/77", "--data", dir)
	require.Zero(t, status)
	golden(t, "record", out, dir)
}

func TestWhatCantBeShown(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no such record": {[]string{"record", "deal/79", "--data", dir}, "there is no record deal/79"},
		"no key":         {[]string{"record", "deal", "--data", dir}, "want entity/id, such as deal/77"},
		"no entity":      {[]string{"record", "bird/1", "--data", dir}, `"bird" is no entity`},
		"no folder":      {[]string{"status", "--data", filepath.Join(dir, "nowhere")}, "start it with spoke up, or name its folder with --data"},
	} {
		status, out, errw := spoke(tc.args...)
		require.Equal(t, 1, status, name)
		require.Empty(t, out, name)
		require.Contains(t, errw, tc.want, name)
	}
}

// TestAFolderThatCantBeOpened tells why, and neither that nobody runs nor the
// token of a process that ran once.
func TestAFolderThatCantBeOpened(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "running.json"), []byte(`{"url":"nats://hunter2@127.0.0.1:1","tenant":"main"}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "format"), []byte("99\n"), 0o600))
	status, _, errw := spoke("status", "--data", dir)
	require.Equal(t, 1, status)
	require.Contains(t, errw, "run the newer Spoke that wrote it")
	require.NotContains(t, errw, "hunter2")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing":         {nil, "expected one of"},
		"unknown command": {[]string{"dance"}, "dance"},
		"unknown flag":    {[]string{"status", "--loud"}, "--loud"},
	} {
		status, out, errw := spoke(tc.args...)
		require.Equal(t, 2, status, name)
		require.Contains(t, out+errw, tc.want, name)
	}
	status, out, _ := spoke("--help")
	require.Zero(t, status)
	require.Regexp(t, `(?s)up.*run.*check.*status.*record.*map`, out)
	status, out, _ = spoke("--version")
	require.Zero(t, status)
	require.NotEmpty(t, out)
	for _, args := range [][]string{{"up", "--once"}, {"up", "--json"}, {"up", "--demo", "--json"}, {"run", "nobody"}} {
		status, _, errw := spoke(args...)
		require.Equal(t, 1, status, "%v", args)
		require.NotEmpty(t, errw)
	}
}
