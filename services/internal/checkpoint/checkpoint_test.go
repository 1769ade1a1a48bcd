package checkpoint_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) (*checkpoint.Store, *bus.Bus) {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "t", Replicas: 1})))
	s, err := checkpoint.Open(t.Context(), b.JetStream(), "t")
	require.NoError(t, err)
	return s, b
}

var items = checkpoint.Key{Connection: "erp", Feed: "item", Work: checkpoint.Backfill}

const lease = time.Hour

func take(t *testing.T, s *checkpoint.Store, owner string, lease time.Duration) *checkpoint.Turn {
	t.Helper()
	turn, err := s.Take(t.Context(), items, owner, lease)
	require.NoError(t, err)
	return turn
}

func page(next string) func(*checkpoint.State) {
	return func(st *checkpoint.State) {
		st.Begin(time.Time{}, time.Now())
		st.Advance(next, 10, 0)
	}
}

// TestALostTurnMovesNothing: a replica that was away for longer than its lease
// can't bring a checkpoint back to where it was.
func TestALostTurnMovesNothing(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	slow := take(t, s, "slow", time.Nanosecond) // over at once
	require.NoError(t, slow.Save(t.Context(), page("2")))
	other := take(t, s, "other", lease)
	require.Equal(t, "2", other.State().Pass.Token)
	require.NoError(t, other.Save(t.Context(), page("3")))
	require.ErrorIs(t, slow.Save(t.Context(), page("2b")), checkpoint.ErrLost)
	require.ErrorIs(t, slow.End(t.Context(), page("2b")), checkpoint.ErrLost)
	st, _, err := s.Load(t.Context(), items)
	require.NoError(t, err)
	require.Equal(t, "3", st.Pass.Token)
	require.Equal(t, "other", st.Owner)
}

func TestOneHasTheTurn(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	first := take(t, s, "first", lease)
	_, err := s.Take(t.Context(), items, "second", lease)
	require.ErrorIs(t, err, checkpoint.ErrTaken)
	take(t, s, "first", lease) // what it had before it was restarted
	require.ErrorIs(t, first.Save(t.Context(), page("2")), checkpoint.ErrLost)
	again := take(t, s, "first", lease)
	require.NoError(t, again.End(t.Context(), page("2")))
	take(t, s, "second", lease)
}

func TestKeepRenewsAndTellsOfALoss(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	turn := take(t, s, "first", 3*time.Second) // long enough for a busy machine to renew it
	ctx, cancel := context.WithCancel(t.Context())
	lost := make(chan error, 1)
	done := make(chan struct{})
	go func() { defer close(done); turn.Keep(ctx, func(err error) { lost <- err }) }()
	began := turn.State().Lease
	require.Eventually(t, func() bool { return turn.State().Lease.After(began) }, time.Minute, time.Millisecond)
	take(t, s, "first", lease) // its double
	require.ErrorIs(t, <-lost, checkpoint.ErrLost)
	cancel()
	<-done
}

func feed(e ...events.Entity) []checkpoint.Feed {
	return []checkpoint.Feed{{Name: items.Feed, Entities: e, Backfill: true}}
}

func ask(t *testing.T, s *checkpoint.Store, since time.Time, e ...events.Entity) checkpoint.Reply {
	t.Helper()
	replies, err := s.Request(t.Context(), items.Connection, feed(e...), since)
	require.NoError(t, err)
	require.Len(t, replies, 1)
	return replies[0]
}

// TestASecondRequestJoins what reads the same, and is never served by less
// than it asks for.
func TestASecondRequestJoins(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	day := time.Now().Add(-24 * time.Hour)
	require.Equal(t, checkpoint.Started, ask(t, s, day, "product"))
	require.Equal(t, checkpoint.Joined, ask(t, s, day, "product"))
	require.Equal(t, checkpoint.Joined, ask(t, s, day.Add(time.Hour), "product"))
	require.Equal(t, checkpoint.Extended, ask(t, s, day.Add(-time.Hour), "product"))
	require.Equal(t, checkpoint.Extended, ask(t, s, day, "company"))
	turn := take(t, s, "first", lease)
	require.Equal(t, []events.Entity{"company", "product"}, turn.State().Request.Entities)
	require.WithinDuration(t, day.Add(-time.Hour), turn.State().Request.Since, time.Millisecond)
	require.NoError(t, turn.Save(t.Context(), page("2")))
	require.Equal(t, checkpoint.Joined, ask(t, s, day, "company"))
	require.Equal(t, checkpoint.Queued, ask(t, s, time.Time{}, "product"), "one under way reads less")
	require.Equal(t, checkpoint.Queued, ask(t, s, time.Time{}, "company"))
	require.Equal(t, checkpoint.Joined, ask(t, s, time.Time{}, "company"))
	require.NoError(t, turn.Save(t.Context(), page("3")), "a request does not end the turn")
	require.NoError(t, turn.End(t.Context(), func(st *checkpoint.State) { st.Finish("", time.Now()) }))
	st, _, err := s.Load(t.Context(), items)
	require.NoError(t, err)
	require.Nil(t, st.Pass)
	require.Equal(t, 20, st.Last.Objects)
	require.True(t, st.Request.Since.IsZero(), "the queued one is next")
	require.Equal(t, []events.Entity{"company", "product"}, st.Request.Entities)
}

// TestAnExtendedRequestIsNotBegunAsItWas: who is about to begin it must see it.
func TestAnExtendedRequestIsNotBegunAsItWas(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	require.Equal(t, checkpoint.Started, ask(t, s, time.Now(), "product"))
	turn := take(t, s, "first", lease)
	require.Equal(t, checkpoint.Extended, ask(t, s, time.Time{}, "product"))
	require.ErrorIs(t, turn.Save(t.Context(), page("2")), checkpoint.ErrWithdrawn)
	require.True(t, take(t, s, "first", lease).State().Request.Since.IsZero())
}

func TestCancelEndsThePass(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	conn := checkpoint.Connection{Name: items.Connection, Feeds: feed("product")}
	ended, err := s.Cancel(t.Context(), conn)
	require.NoError(t, err)
	require.Empty(t, ended)
	ask(t, s, time.Time{}, "product")
	turn := take(t, s, "first", lease)
	require.NoError(t, turn.Save(t.Context(), page("2")))
	ended, err = s.Cancel(t.Context(), conn)
	require.NoError(t, err)
	require.Equal(t, []string{"item"}, ended)
	require.ErrorIs(t, turn.Save(t.Context(), page("3")), checkpoint.ErrWithdrawn)
	st, _, err := s.Load(t.Context(), items)
	require.NoError(t, err)
	require.Nil(t, st.Pass)
	require.True(t, st.Last.Canceled)
	require.Equal(t, 10, st.Last.Objects)
}

func TestACheckpointThatCannotBeReadStopsOnlyItself(t *testing.T) {
	t.Parallel()
	s, b := open(t)
	kv, err := b.JetStream().KeyValue(t.Context(), bus.BucketCheckpoints)
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "t.erp.item.backfill", []byte("{"))
	require.NoError(t, err)
	_, err = s.Take(t.Context(), items, "first", lease)
	require.Equal(t, fault.Malformed, fault.KindOf(err))
	require.NotEmpty(t, fault.As(err).Hint)
	_, err = s.Take(t.Context(), checkpoint.Key{Connection: "erp", Feed: "other", Work: checkpoint.Poll}, "first", lease)
	require.NoError(t, err)
}

func TestPollingStartsOnce(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	k := checkpoint.Key{Connection: "erp", Feed: "item", Work: checkpoint.Poll}
	at := time.Now().UTC().Truncate(time.Second)
	require.NoError(t, s.StartPolling(t.Context(), "erp", "item", at))
	require.NoError(t, s.StartPolling(t.Context(), "erp", "item", at.Add(time.Hour)))
	st, _, err := s.Load(t.Context(), k)
	require.NoError(t, err)
	require.Equal(t, at, st.Until, "a restart must not skip what happened meanwhile")
}

func kind() connector.Kind {
	return connector.Kind{
		Title: "ERP",
		Objects: []connector.Object{
			{Name: "invoice", Entity: "invoice"},
			{Name: "machine", Entity: "x_machine"},
			{Name: "customer", Entity: "company"},
			{Name: "person", Entity: "contact"},
			{Name: "part", Entity: "product"},
			{Name: "kit", Entity: "product"},
			{Name: "memo", Entity: "credit_note"},
		},
		Feeds: []connector.Feed{
			{Name: "changes", Objects: []string{"invoice", "customer"}, Poll: true},
			{Name: "invoice", Objects: []string{"invoice"}, Backfill: true},
			{Name: "machine", Objects: []string{"machine"}, Backfill: true},
			{Name: "part", Objects: []string{"part"}, Backfill: true},
			{Name: "kit", Objects: []string{"kit"}, Backfill: true},
			{Name: "who", Objects: []string{"person", "customer"}, Backfill: true},
			{Name: "customer", Objects: []string{"customer"}, Backfill: true},
		},
	}
}

func names(feeds []checkpoint.Feed) string {
	var all []string
	for _, f := range feeds {
		var entities []string
		for _, e := range f.Entities {
			entities = append(entities, string(e))
		}
		all = append(all, f.Name+"("+strings.Join(entities, " ")+")")
	}
	return strings.Join(all, " ")
}

func TestPlan(t *testing.T) {
	t.Parallel()
	on := func(events.Entity) bool { return false }
	c := checkpoint.NewConnection("erp", kind(), on)
	for want, entities := range map[string][]events.Entity{
		"who(company contact) part(product) kit(product) invoice(invoice) machine(x_machine)": nil,
		"who(company)":                          {"company"},
		"part(product) kit(product)":            {"product"},
		"who(contact) invoice(invoice)":         {"invoice", "contact"},
		"who(company contact) invoice(invoice)": {"invoice", "contact", "company"},
	} {
		plan, err := c.Plan(entities)
		require.NoError(t, err)
		require.Equal(t, want, names(plan))
	}
	off := checkpoint.NewConnection("erp", kind(), func(e events.Entity) bool { return e == "contact" })
	plan, err := off.Plan(nil)
	require.NoError(t, err)
	require.Equal(t, "who(company) part(product) kit(product) invoice(invoice) machine(x_machine)", names(plan))
	for entity, want := range map[events.Entity]string{
		"contact":     "erp: contact is off: set connections.erp.sync.contact",
		"invoces":     `erp has no entity "invoces": did you mean invoice?`,
		"zebra":       `erp has no entity "zebra": one of company, contact, credit_note`,
		"credit_note": "erp: credit_note can't be backfilled: ERP can list company, contact, invoice, product, x_machine only",
	} {
		_, err := off.Plan([]events.Entity{entity})
		require.ErrorContains(t, err, want)
	}
	_, err = checkpoint.NewConnection("crm", connector.Kind{Title: "CRM"}, on).Plan(nil)
	require.ErrorContains(t, err, "crm: this connector can't be backfilled")
	catalog := checkpoint.Catalog{Connections: []checkpoint.Connection{c}}
	_, err = catalog.Connection("erb")
	require.ErrorContains(t, err, "did you mean erp?")
	_, err = checkpoint.Catalog{}.Connection("erp")
	require.ErrorContains(t, err, "start it once")
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	c, err := s.Catalog(t.Context())
	require.NoError(t, err)
	require.Empty(t, c.Connections)
	want := checkpoint.Catalog{Connections: []checkpoint.Connection{
		checkpoint.NewConnection("erp", kind(), func(events.Entity) bool { return false }),
	}}
	for range 2 {
		require.NoError(t, s.Publish(t.Context(), want))
	}
	c, err = s.Catalog(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, c)
	ask(t, s, time.Time{}, "product")
	require.NoError(t, s.Publish(t.Context(), checkpoint.Catalog{}))
	all, err := s.All(t.Context())
	require.NoError(t, err)
	require.Empty(t, all, "what no connection has is not shown")
}
