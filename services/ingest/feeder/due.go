package feeder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// due says when a feed is polled: at an interval, or else once a day at some
// times.
type due struct {
	every   time.Duration
	nightly []config.TimeOfDay
}

const day = 24 * time.Hour

// newConn works out when each feed is due, and what there is to backfill.
func newConn(c Connection) *conn {
	made := &conn{Connection: c, due: map[string]due{}}
	for _, f := range c.Kind.Feeds {
		if d := dueOf(c, f); d.every > 0 || len(d.nightly) > 0 {
			made.due[f.Name] = d
		}
	}
	made.about = checkpoint.NewConnection(c.Name, c.Kind, func(e events.Entity) bool { return c.Mode(e).Off })
	for i, f := range made.about.Feeds {
		if d, ok := made.due[f.Name]; ok {
			made.about.Feeds[i].Every, made.about.Feeds[i].Sync = d.interval(), d.String()
		}
	}
	return made
}

// dueOf joins the modes of a feed's entities: it runs when any of them is due.
func dueOf(c Connection, f connector.Feed) due {
	var d due
	if !f.Poll {
		return d
	}
	for _, e := range c.Kind.Entities(f) {
		m := c.Mode(e)
		every := m.Every
		if m.RealTime() {
			every = f.Every
		}
		if every > 0 && (d.every == 0 || every < d.every) {
			d.every = every
		}
		if m.Nightly != nil && !slices.ContainsFunc(d.nightly, func(t config.TimeOfDay) bool { return clock(t) == clock(*m.Nightly) }) {
			d.nightly = append(d.nightly, *m.Nightly)
		}
	}
	if d.every > 0 {
		d.nightly = nil // comes along
	}
	// The server knows whole seconds only.
	d.every = d.every.Round(time.Second)
	return d
}

// interval is the pause between two polls.
func (d due) interval() time.Duration {
	if d.every > 0 {
		return d.every
	}
	return day
}

// String says in words when a feed is due.
func (d due) String() string {
	if d.every > 0 {
		return "every " + d.every.String()
	}
	var at []string
	for _, t := range d.nightly {
		at = append(at, clock(t))
	}
	return "nightly " + strings.Join(at, ", ")
}

func clock(t config.TimeOfDay) string {
	return fmt.Sprintf("%02d:%02d %s", t.Hour, t.Minute, t.Zone)
}

// next returns the first time after a moment at which the clocks of a zone show
// a time of day. On a day on which that time is skipped it is the one that
// stands in its place; on a day on which it comes twice it is one of the two.
func next(t config.TimeOfDay, after time.Time) time.Time {
	local := after.In(t.Zone)
	for d := 0; ; d++ {
		at := time.Date(local.Year(), local.Month(), local.Day()+d, t.Hour, t.Minute, 0, 0, t.Zone)
		if at.After(after) {
			return at.UTC()
		}
	}
}

// early is how much too early the server may fire a schedule.
const early = time.Minute

// schedules are those of one feed.
func (f *Feeder) schedules(c *conn, feed string) []bus.Schedule {
	d, target := c.due[feed], events.DueSubject(f.Tenant, string(checkpoint.Poll), c.Name, feed)
	if d.every > 0 {
		return []bus.Schedule{{Subject: f.scheduleOf(c, feed, "every"), Target: target, Every: d.every}}
	}
	var all []bus.Schedule
	for _, t := range d.nightly {
		// Not a cron schedule of the server: it leaves out the night on which
		// the clocks skip the time.
		all = append(all, bus.Schedule{Subject: f.scheduleOf(c, feed, clock(t)), Target: target, At: next(t, now().Add(early))})
	}
	return all
}

func (f *Feeder) scheduleOf(c *conn, feed, name string) string {
	return events.ScheduleSubject(f.Tenant, string(checkpoint.Poll), c.Name, feed, name)
}

// setSchedules makes the server's schedules those of the configuration.
func (f *Feeder) setSchedules(ctx context.Context) error {
	var all []bus.Schedule
	for _, c := range f.conns {
		for feed := range c.due {
			all = append(all, f.schedules(c, feed)...)
		}
		if len(c.about.Backfillable()) > 0 {
			all = append(all, bus.Schedule{
				Subject: events.ScheduleSubject(f.Tenant, string(checkpoint.Backfill), c.Name, allFeeds, "every"),
				Target:  events.DueSubject(f.Tenant, string(checkpoint.Backfill), c.Name, allFeeds), Every: sweepEvery,
			})
		}
	}
	return f.Bus.SetSchedules(ctx, events.ScheduleFilter(f.Tenant), all)
}

// setNightly sets the next night of a feed that is polled nightly, since a
// schedule for one time is gone once it has fired.
func (f *Feeder) setNightly(ctx context.Context, c *conn, feed string) error {
	if len(c.due[feed].nightly) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	filter := events.ScheduleSubject(f.Tenant, string(checkpoint.Poll), c.Name, feed, "x")
	return f.Bus.SetSchedules(ctx, filter[:len(filter)-1]+">", f.schedules(c, feed))
}

// catalog is what the command line may ask for.
func (f *Feeder) catalog() checkpoint.Catalog {
	var c checkpoint.Catalog
	for _, conn := range f.conns {
		c.Connections = append(c.Connections, conn.about)
	}
	slices.SortFunc(c.Connections, func(a, b checkpoint.Connection) int { return strings.Compare(a.Name, b.Name) })
	return c
}
