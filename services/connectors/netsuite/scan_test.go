package netsuite_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// pass scans a feed to its end.
func (b *bundle) pass(t testing.TB, s connector.Scan) (all []events.Change, last connector.Page) {
	t.Helper()
	for range 100 {
		page, err := b.scanner.Scan(t.Context(), s)
		require.NoError(t, err)
		all = append(all, page.Changes...)
		if page.Next == "" {
			return all, page
		}
		s.Token = page.Next
	}
	require.Fail(t, "the pass has no end")
	return nil, last
}

// ids are the ids of changes of one object, in order.
func ids(changes []events.Change, object string) []string {
	var all []string
	for _, c := range changes {
		if c.Object == object {
			all = append(all, c.ID)
		}
	}
	return all
}

// TestManyObjectsOfOneDate: a page may end amid objects of one second, also
// when one of them changes meanwhile.
func TestManyObjectsOfOneDate(t *testing.T) {
	t.Parallel()
	b, c := timed(t, nil)
	var made []string
	for i := range 10 {
		id, err := b.box.Add("customer", map[string]any{"companyName": "C" + strconv.Itoa(i)})
		require.NoError(t, err)
		made = append(made, id)
	}
	c.move(time.Hour)
	s := connector.Scan{Feed: "customer", Until: c.now()}
	first, err := b.scanner.Scan(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, 10, first.Total)
	require.Equal(t, made[:rowsPerPage], ids(first.Changes, "customer"))
	require.NoError(t, b.box.Edit(made[5], map[string]any{"phone": "1"}))
	s.Token = first.Next
	b.open(t, c.now) // another process, later
	rest, _ := b.pass(t, s)
	require.Equal(t, append(slices.Clone(made[3:5]), made[6:]...), ids(rest, "customer"), "what changed is for the next pass")
	poll, _ := b.pass(t, connector.Scan{Feed: "customer", Since: s.Until.Add(-6 * time.Minute), Until: s.Until.Add(2 * time.Minute)})
	require.Equal(t, made[5:6], ids(poll, "customer"))
}

// TestNothingIsMissedInAnyZone edits customers at random times around the days
// on which clocks change, and polls as the runtime does. Every edit is seen,
// with the zone measured and with it configured.
func TestNothingIsMissedInAnyZone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"}).Draw(rt, "zone")
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		start := rapid.SampledFrom([]time.Time{
			time.Date(2026, 3, 8, 8, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC), // Los Angeles
			time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), // Berlin
			time.Date(2026, 4, 4, 14, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 14, 0, 0, 0, time.UTC), // Lord Howe
		}).Draw(rt, "start")
		ahead := time.Duration(rapid.IntRange(-90, 90).Draw(rt, "ahead")) * time.Second // of the server's clock
		now := start
		b := setup(t, func(o *netsuitebox.Options, s *netsuite.Settings) {
			o.Zone, o.Now = loc, func() time.Time { return now.Add(ahead) }
			s.PageRows, s.URL, s.TBA = 0, "http://netsuite.test", tba() // many accounts: no network, no keys to make
			if rapid.Bool().Draw(rt, "configured") {
				s.Zone = name
			}
		})
		b.open(t, func() time.Time { return now })
		id, err := b.box.Add("customer", map[string]any{"companyName": "C"})
		require.NoError(t, err)

		seen := map[string]bool{}
		last, mark := now, ""
		var wanted []string
		poll := func() {
			changes, page := b.pass(t, connector.Scan{Feed: "customer", Since: last.Add(-6 * time.Minute), Until: now, Mark: mark})
			last, mark = now, page.Mark
			for _, c := range changes {
				seen[c.Fields.Text("phone")] = true
			}
		}
		for i := range 12 {
			now = now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(rt, "pause")) * time.Second)
			phone := "p" + strconv.Itoa(i)
			require.NoError(rt, b.box.Edit(id, map[string]any{"phone": phone}))
			wanted = append(wanted, phone)
			now = now.Add(70 * time.Second) // the minute that a pass leaves out
			poll()
			if name == "UTC" || name == "Asia/Kolkata" { // whose clocks never change
				require.True(rt, seen[phone], "%s is not seen", phone)
			}
		}
		// Where the local hour comes twice, what was done in its second half comes
		// an hour late, but it comes.
		for range 14 {
			now = now.Add(5 * time.Minute)
			poll()
		}
		require.True(rt, seen[wanted[len(wanted)-1]], "the last edit is never seen: %v of %v", seen, wanted)
	})
}

// TestMoneyComesWithItsInvoices: what payments and credits settle comes with them, and the invoice
// is read again, because being settled does not touch its own date.
func TestMoneyComesWithItsInvoices(t *testing.T) {
	t.Parallel()
	b, c := timed(t, nil)
	made := b.populate(t)
	c.move(time.Hour)
	since := c.now().Add(-2 * time.Hour)
	link := func(object string) events.Link {
		return events.Link{Connection: "erp", Object: object, ID: made[object]}
	}
	field := func(v any) json.RawMessage {
		f := events.Fields{}
		f.Set("x", v)
		return f["x"]
	}
	read := func(object string) events.Change {
		changes, _ := b.pass(t, connector.Scan{Feed: object, Since: since, Until: c.now()})
		for _, ch := range changes {
			if ch.Object == object {
				require.Equal(t, since.Add(time.Hour), ch.At)
				return ch
			}
		}
		require.Fail(t, "nothing came", object)
		return events.Change{}
	}
	work := []events.Line{{
		ID: "1", Name: "Work", Product: link("item"), Quantity: events.MustDecimal("2"), Price: eur(t, "80"), Amount: eur(t, "160.00"),
	}}
	for object, want := range map[string]events.Fields{
		"customer": {
			"name": field("Seen"), "email": field("seen@example.com"), "phone": field(""), "domain": field("seen.example"), "currency": field("EUR"),
			"street": field("1 Road"), "city": field("Town"), "state": field(""), "zip": field(""), "country": field("DE"),
		},
		"contact": {
			"firstName": field("Sam"), "lastName": field("Seen"), "email": field(""), "phone": field(""), "company": field(link("customer")),
		},
		"item": {
			"name": field("Hour"), "sku": field("HOUR"), "description": field(""), "active": field(true), "kind": field("service"),
			"price": json.RawMessage(`{"amount":"90.5","currency":"USD"}`), "cost": json.RawMessage(`{"amount":"40","currency":"USD"}`),
		},
		"salesOrder": {
			"number": field("SO1001"), "status": field("Billed"), "placedOn": field("2026-11-20"), "total": field(eur(t, "160.00")),
			"company": field(link("customer")), "lines": field(work),
		},
		"invoice": {
			"number": field("INV1001"), "status": field("open"), "issuedOn": field("2026-11-23"), "dueOn": field(""), "memo": field(""),
			"total": field(eur(t, "160.00")), "amountDue": field(eur(t, "30.00")), "amountPaid": field(eur(t, "130.00")),
			"company": field(link("customer")), "order": field(link("salesOrder")), "lines": field(work),
		},
		"customerPayment": {
			"status": field("succeeded"), "amount": field(eur(t, "100")), "receivedOn": field("2026-11-21"), "company": field(link("customer")),
			"invoice": field(link("invoice")), "applied": field([]events.Applied{{Invoice: link("invoice"), Amount: eur(t, "60")}}),
		},
		"creditMemo": {
			"number": field("CM1001"), "status": field("open"), "issuedOn": field("2026-11-22"), "total": field(eur(t, "160.00")),
			"remaining": field(eur(t, "70.00")), "company": field(link("customer")), "lines": field(work),
			"invoice": field(link("invoice")), "applied": field([]events.Applied{{Invoice: link("invoice"), Amount: eur(t, "70")}}),
		},
		"customerRefund": {
			"status": field("succeeded"), "amount": field(eur(t, "20")), "refundedOn": field("2026-11-23"), "company": field(link("customer")),
		},
	} {
		got := read(object)
		require.Empty(t, cmp.Diff(want, got.Fields), object)
	}
	for _, feed := range []string{"customerPayment", "creditMemo"} {
		changes, _ := b.pass(t, connector.Scan{Feed: feed, Since: since, Until: c.now()})
		i := slices.IndexFunc(changes, func(c events.Change) bool { return c.Object == "invoice" })
		require.GreaterOrEqual(t, i, 0, feed)
		require.Equal(t, []any{made["invoice"], true}, []any{changes[i].ID, changes[i].Signal})
		backfill, _ := b.pass(t, connector.Scan{Feed: feed, Until: c.now()})
		require.Empty(t, ids(backfill, "invoice"), "a backfill of invoices reads them anyway")
	}
}

// TestOurOwnObjectsAreRecognised by their external id.
func TestOurOwnObjectsAreRecognised(t *testing.T) {
	t.Parallel()
	b, c := timed(t, nil)
	customerID, itemID := b.stock(t)
	b.apply(t, order("77", customerID, itemID))
	hashed := customer("2", "Other")
	hashed.Key = events.ExternalKey(events.Key{Entity: events.EntityCompany, ID: "a b"})
	b.apply(t, hashed)
	c.move(time.Hour)

	orders, _ := b.pass(t, connector.Scan{Feed: "salesOrder", Until: c.now()})
	require.Equal(t, events.Key{Entity: events.EntityDeal, ID: "77"}, orders[0].Record)
	customers, _ := b.pass(t, connector.Scan{Feed: "customer", Until: c.now()})
	require.Equal(t, events.Key{Entity: events.EntityCompany, ID: "1"}, customers[0].Record)
	require.True(t, customers[1].Marked, "one of ours, of a record that the key does not tell")
}

// TestDeletions: the table of deletions tells of all types, under its own names,
// and of custom records by the number of their type.
func TestDeletions(t *testing.T) {
	t.Parallel()
	b, c := timed(t, nil)
	withMachinesOn(t, b, c)
	made := b.populate(t)
	owner := b.apply(t, customer("9", "Owner")).ID
	made["customrecord_machine"] = b.apply(t, machine("1", owner)).ID
	order := []string{"customerRefund", "customerPayment", "creditMemo", "invoice", "salesOrder", "item", "contact", "customrecord_machine", "customer"}
	for _, object := range order {
		require.NoError(t, b.box.Remove(made[object]))
	}
	c.move(time.Hour)
	changes, page := b.pass(t, connector.Scan{Feed: "deletedrecord", Since: c.now().Add(-2 * time.Hour), Until: c.now()})
	require.Equal(t, len(order), page.Total)
	got := map[string]string{}
	for _, ch := range changes {
		require.Equal(t, events.OpDeleted, ch.Op)
		require.Equal(t, c.now().Add(-time.Hour), ch.At)
		got[ch.Object] = ch.ID
	}
	require.Equal(t, made, got)
}

func withMachinesOn(t *testing.T, b *bundle, c *clock) {
	t.Helper()
	*b = *setup(t, func(o *netsuitebox.Options, s *netsuite.Settings) {
		withMachines(o, s)
		o.Now = c.now
	})
	b.open(t, c.now)
}

// TestRowsThatCantBeRead: what is wrong with one value costs that value only; a
// row without identity or date stops the pass, and says why.
func TestRowsThatCantBeRead(t *testing.T) {
	t.Parallel()
	row := func(more string) string {
		return `{"items":[{"id":"7","modified":"2026-11-20 10:00:00","tranid":"INV1","status":"CustInvc:Q","currency":"99",` +
			`"foreigntotal":"many","trandate":"2026-11-20","entity":"5"` + more + `}],"hasMore":false,"totalResults":"x"}`
	}
	for name, c := range map[string]struct {
		body string
		kind fault.Kind
		ok   bool
	}{
		"unknown status, currency and amount": {body: row(""), ok: true},
		"no date":                             {body: row(`,"modified":"20.11.2026"`), kind: fault.Malformed},
		"no id":                               {body: row(`,"id":"x"`), kind: fault.Transient},
		"a page that does not end":            {body: `{"items":[],"hasMore":true}`, kind: fault.Transient},
		"no rows":                             {body: `{"hasMore":false}`, kind: fault.Transient},
		"an error in a 200":                   {body: body("USER_ERROR", "Search error occurred: Field 'x' was not found", ""), kind: fault.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := scripted(t, func(q string) string {
				switch {
				case containsAll(q, "SYSDATE"):
					return `{"items":[{"now":"2026-11-20 12:00:00"}],"hasMore":false}`
				case containsAll(q, "FROM currency"):
					return `{"items":[{"id":"1","symbol":"EUR"}],"hasMore":false}`
				case containsAll(q, "FROM transaction t"):
					return c.body
				default:
					return `{"items":[],"hasMore":false}`
				}
			})
			page, err := b.scanner.Scan(t.Context(), connector.Scan{Feed: "invoice", Until: time.Now()})
			if !c.ok {
				require.Equal(t, c.kind.String(), fault.KindOf(err).String(), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Len(t, page.Changes, 1)
			fields := page.Changes[0].Fields
			require.Equal(t, "INV1", fields.Text("number"))
			require.Equal(t, "2026-11-20", fields.Text("issuedOn"))
			for _, absent := range []string{"status", "total", "amountDue"} {
				require.NotContains(t, fields, absent, fmt.Sprint(fields))
			}
		})
	}
}

// TestServersTimeIsRefused: a role that may not ask for it costs nothing, since
// every answer carries the time.
func TestServersTimeIsRefused(t *testing.T) {
	t.Parallel()
	b := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Fri, 20 Nov 2026 12:00:00 GMT")
		if strings.HasSuffix(r.URL.Path, "/serverTime") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(body("INSUFFICIENT_PERMISSION", "No", "")))
			return
		}
		_, _ = w.Write([]byte(`{"items":[{"id":"7","now":"2026-11-20 04:00:05","modified":"2026-11-20 03:00:00","lastname":"Roe"}],"hasMore":false}`))
	})
	page, err := b.scanner.Scan(t.Context(), connector.Scan{Feed: "contact", Until: time.Now()})
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC), page.Changes[0].At, "eight hours behind")
}

// TestPricesThatAreNotShown cost the prices, not the items.
func TestPricesThatAreNotShown(t *testing.T) {
	t.Parallel()
	b := scripted(t, func(q string) string {
		switch {
		case containsAll(q, "SYSDATE"):
			return `{"items":[{"now":"2026-11-20 12:00:00"}],"hasMore":false}`
		case containsAll(q, "FROM itemprice"):
			return body("INVALID_PARAMETER", "Record 'itemprice' was not found", "")
		default:
			return `{"items":[{"id":"7","modified":"2026-11-20 10:00:00","itemid":"SKU","itemtype":"Kit"}],"hasMore":false}`
		}
	})
	page, err := b.scanner.Scan(t.Context(), connector.Scan{Feed: "item", Until: time.Now()})
	require.NoError(t, err)
	require.Equal(t, "SKU", page.Changes[0].Fields.Text("sku"))
	require.NotContains(t, page.Changes[0].Fields, "kind", "a kit is none of the kinds")
}
