package feeder_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/feeder"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// TestPollsFollowEachOther: a pass begins where the last one ended, less the
// overlap, and gets the mark it left.
func TestPollsFollowEachOther(t *testing.T) {
	t.Parallel()
	v := newVendor(25)
	v.mark = "m1"
	r := newRig(t, v)
	began := time.Now()
	r.run()
	set := r.state("item", checkpoint.Poll).Until
	require.WithinDuration(t, began, set, patience, "polling begins with the configuration, the past is backfilled")
	r.due("item")
	first := r.polled("item", set)
	v.set(func() { v.mark = "m2" })
	r.due("item")
	second := r.polled("item", first.Until)
	require.Equal(t, "m2", second.Mark)
	scans := v.asked()
	require.Len(t, scans, 6)
	require.Equal(t, set.Add(-time.Minute), scans[0].Since)
	require.Empty(t, scans[0].Mark)
	require.Equal(t, first.Until, scans[2].Until)
	require.Equal(t, first.Until.Add(-time.Minute), scans[3].Since)
	require.Equal(t, "m1", scans[5].Mark, "the same for a whole pass")
	require.Empty(t, second.Owner, "the turn is given back")
}

// TestADoubledAnnouncementIsHarmless: what a pass has read that began after it
// is not read once more.
func TestADoubledAnnouncementIsHarmless(t *testing.T) {
	t.Parallel()
	v := newVendor(1)
	r := newRig(t, v)
	reached, goOn := make(chan struct{}), make(chan struct{})
	first := true
	cfg := r.config()
	cfg.Connections[0].Scanner = gate{v, func() {
		if first {
			first = false
			close(reached)
			<-goOn
		}
	}}
	r.runWith(cfg)
	r.due("item")
	<-reached
	again := time.Now()
	r.due("item") // while it is under way: what it has not seen is still to be read
	close(goOn)
	r.polled("item", again)
	require.Len(t, v.asked(), 2)
}

// TestAPassThatFailsGoesOnAtItsToken, whatever the vendor's trouble.
func TestAPassThatFailsGoesOnAtItsToken(t *testing.T) {
	t.Parallel()
	for _, k := range []fault.Kind{fault.Throttled, fault.Transient, fault.Unavailable, fault.Ambiguous} {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			v := newVendor(35)
			failures := 2
			v.before = func(s connector.Scan) error {
				if s.Token == "20" && failures > 0 {
					failures--
					return fault.New(k, "toy: scan", "not now")
				}
				return nil
			}
			r := newRig(t, v)
			r.run()
			r.request(time.Time{}, events.EntityProduct)
			r.done("item")
			require.Equal(t, 35, r.each("item"))
			require.Len(t, v.asked(), 4+2, "no page twice")
			require.Nil(t, r.state("item", checkpoint.Backfill).Failure)
			require.Empty(t, r.alerts())
		})
	}
}

// TestRefusedCredentialsAreTheConnections: the state that all services share
// says so, and that they are taken again.
func TestRefusedCredentialsAreTheConnections(t *testing.T) {
	t.Parallel()
	v := newVendor(15)
	refused := true
	v.before = func(connector.Scan) error {
		if refused {
			refused = false
			return fault.New(fault.Unauthorized, "toy: scan", "401").WithHint("set a new token")
		}
		return nil
	}
	r := newRig(t, v)
	told := r.breaker()
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	c := <-told
	require.Equal(t, breaker.StateUnauthorized, c.State)
	require.Equal(t, "set a new token", c.Hint)
	r.await("the failure", func() bool { return r.state("item", checkpoint.Backfill).Failure != nil })
	r.done("item")
	r.each("item")
	for c.State != breaker.StateRunning {
		c = <-told
	}
	require.Len(t, v.asked(), 3, "while they are refused one call tries")
}

// TestAPausedConnectionIsNotRead until it is resumed.
func TestAPausedConnectionIsNotRead(t *testing.T) {
	t.Parallel()
	v := newVendor(15)
	r := newRig(t, v)
	r.breaker()
	kv, err := r.bus.JetStream().KeyValue(t.Context(), bus.BucketConnections)
	require.NoError(t, err)
	_, err = breaker.Pause(t.Context(), kv, erp, "a test")
	require.NoError(t, err)
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	r.await("the turn", func() bool { return r.state("item", checkpoint.Backfill).Owner != "" })
	require.Empty(t, v.asked())
	_, err = breaker.Resume(t.Context(), kv, erp)
	require.NoError(t, err)
	r.done("item")
	r.each("item")
}

// TestARefusedTokenBeginsThePassAnew, and operators hear of it when that goes
// on.
func TestARefusedTokenBeginsThePassAnew(t *testing.T) {
	t.Parallel()
	v := newVendor(25)
	refusals := 2
	v.before = func(s connector.Scan) error {
		if s.Token == "20" && refusals > 0 {
			refusals--
			return fault.New(fault.Malformed, "toy: scan", "unknown cursor")
		}
		return nil
	}
	r := newRig(t, v)
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	r.done("item")
	r.each("item")
	require.Equal(t, 25, r.state("item", checkpoint.Backfill).Last.Objects, "counted anew")
	require.Empty(t, r.alerts())
	v.set(func() { refusals = 3 })
	r.request(time.Time{}, events.EntityProduct)
	r.await("the alert", func() bool { return len(r.alerts()) == 1 })
	require.Equal(t, events.AlertSubject("warning", "malformed", erp), r.alerts()[0])
}

// TestARefusedMarkIsDropped: the times of the pass stand in its place.
func TestARefusedMarkIsDropped(t *testing.T) {
	t.Parallel()
	v := newVendor(1)
	v.mark = "old"
	v.before = func(s connector.Scan) error {
		if s.Mark == "old" {
			v.mark = "new"
			return fault.New(fault.Malformed, "toy: scan", "unknown offset")
		}
		return nil
	}
	r := newRig(t, v)
	r.run()
	set := r.state("item", checkpoint.Poll).Until
	r.due("item")
	first := r.polled("item", set)
	require.Equal(t, "old", first.Mark)
	r.due("item")
	r.await("the mark to be dropped", func() bool { return r.state("item", checkpoint.Poll).Mark == "" })
	st := r.state("item", checkpoint.Poll)
	require.Equal(t, first.Until, st.Until, "nothing is passed over")
}

// TestAGapThatIsTooLongIsBackfilled from its beginning, and told.
func TestAGapThatIsTooLongIsBackfilled(t *testing.T) {
	t.Parallel()
	v := newVendor(100)
	r := newRig(t, v)
	r.modes[events.EntityCompany] = config.Mode{Every: time.Hour} // the log is polled for it
	gap := t0.Add(60 * time.Hour)
	require.NoError(t, r.store.StartPolling(t.Context(), erp, "log", gap))
	r.run()
	r.due("log")
	r.done("customer")
	r.done("item")
	r.polled("log", gap)
	objects, _ := r.stored()
	require.Len(t, objects, 80, "40 of each")
	require.Contains(t, r.alerts(), events.AlertSubject("critical", "lag", erp), "the memos can't be backfilled")
	for _, s := range v.asked() {
		if s.Feed == "log" {
			require.WithinDuration(t, time.Now(), s.Since, patience)
		}
	}
}

// TestSchedulesFollowTheConfiguration.
func TestSchedulesFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor(1))
	times := func() map[string]string {
		found := map[string]string{}
		for m, err := range r.bus.Scan(t.Context(), events.StreamSchedules, events.ScheduleFilter(tenant)) {
			require.NoError(t, err)
			p, err := events.SubjectTokens(m.Subject)
			require.NoError(t, err)
			pattern := m.Header.Get("Nats-Schedule")
			if at, ok := strings.CutPrefix(pattern, "@at "); ok {
				when, err := time.Parse(time.RFC3339, at)
				require.NoError(t, err)
				pattern = when.Format("at 15:04:05")
			}
			found[strings.Join(p[2:], " ")] = pattern
		}
		return found
	}
	sweep := map[string]string{"backfill erp all every": "@every 10s"}
	with := func(more map[string]string) map[string]string {
		for k, v := range sweep {
			more[k] = v
		}
		return more
	}
	r.new(r.config())
	require.Equal(t, with(map[string]string{"poll erp item every": "@every 1h0m0s"}), times())
	night := func(h int) *config.TimeOfDay { return &config.TimeOfDay{Hour: h, Minute: 30, Zone: time.UTC} }
	r.modes[events.EntityCompany], r.modes[events.EntityCreditNote] = config.Mode{Nightly: night(2)}, config.Mode{Nightly: night(3)}
	r.modes[events.EntityProduct] = config.Mode{Off: true}
	r.new(r.config())
	require.Equal(t, with(map[string]string{
		"poll erp log 02:30 UTC": "at 02:30:00", "poll erp log 03:30 UTC": "at 03:30:00",
	}), times())
	r.modes[events.EntityProduct] = config.Mode{Every: 90 * time.Second}
	r.new(r.config())
	require.Equal(t, with(map[string]string{
		"poll erp item every": "@every 1m30s", "poll erp log every": "@every 1m30s",
	}), times(), "the nights come along")
	r.kind.Feeds = nil
	r.new(r.config())
	require.Empty(t, times())
}

// TestANightIsFollowedByTheNext: a schedule for one time is gone when it fires.
func TestANightIsFollowedByTheNext(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor(1))
	at := time.Now().UTC().Add(12 * time.Hour)
	r.modes[events.EntityProduct] = config.Mode{Nightly: &config.TimeOfDay{Hour: at.Hour(), Minute: at.Minute(), Zone: time.UTC}}
	r.run()
	scheduled := func() (n int) {
		for m, err := range r.bus.Scan(t.Context(), events.StreamSchedules, events.ScheduleFilter(tenant)) {
			require.NoError(t, err)
			if strings.HasPrefix(m.Header.Get("Nats-Schedule"), "@at ") {
				n++
			}
		}
		return n
	}
	require.Equal(t, 2, scheduled(), "item and log")
	require.NoError(t, r.bus.SetSchedules(t.Context(), events.ScheduleFilter(tenant), nil))
	set := r.state("item", checkpoint.Poll).Until
	r.due("item")
	r.polled("item", set)
	r.await("the next night", func() bool { return scheduled() == 1 })
}

func TestNextNight(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, c := range []struct{ after, want string }{
		{"2026-01-10T00:00:00Z", "2026-01-10T01:30:00Z"},
		{"2026-01-10T01:30:00Z", "2026-01-11T01:30:00Z"},
		{"2026-07-10T00:00:00Z", "2026-07-10T00:30:00Z"}, // summer time
		{"2026-03-28T02:00:00Z", "2026-03-29T01:30:00Z"}, // 02:30 is skipped: 03:30 stands in its place
		{"2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
		{"2026-10-25T00:00:00Z", "2026-10-25T01:30:00Z"}, // 02:30 comes twice
		{"2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"}, // and is taken once
		{"2026-12-31T23:59:59Z", "2027-01-01T01:30:00Z"},
	} {
		after, err := time.Parse(time.RFC3339, c.after)
		require.NoError(t, err)
		got := feeder.Next(config.TimeOfDay{Hour: 2, Minute: 30, Zone: berlin}, after)
		require.Equal(t, c.want, got.Format(time.RFC3339), "after %s", c.after)
	}
}

// TestLagIsTold when a feed is more than three intervals behind.
func TestLagIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor(1))
	f := r.new(r.config())
	set := r.state("item", checkpoint.Poll).Until
	f.Look(t.Context(), set.Add(3*time.Hour))
	require.Empty(t, r.alerts())
	f.Look(t.Context(), set.Add(3*time.Hour+time.Second))
	require.Equal(t, []string{events.AlertSubject("warning", "lag", erp)}, r.alerts())
	f.Look(t.Context(), set.Add(4*time.Hour))
	require.Len(t, r.alerts(), 1, "once")
}

func TestDelays(t *testing.T) {
	t.Parallel()
	for _, k := range fault.Kinds() {
		err := fault.New(k, "op", "cause")
		for tries := 1; tries < 30; tries++ {
			d := feeder.DelayOf(err, tries, 0.999)
			require.Positive(t, d, "%v", k)
			require.LessOrEqual(t, d, 6*time.Minute, "%v", k)
		}
		require.GreaterOrEqual(t, feeder.DelayOf(err.After(time.Hour), 1, 0), time.Hour, "%v: what the vendor asks for is kept", k)
		spread := feeder.DelayOf(err, 6, 0.9) - feeder.DelayOf(err, 6, 0.1)
		if k != fault.Unauthorized {
			require.Positive(t, spread, "%v: replicas don't come back together", k)
		}
	}
	require.GreaterOrEqual(t, feeder.DelayOf(errors.New("a bug"), 1, 0.5), time.Second, "more quick tries won't mend it")
}
