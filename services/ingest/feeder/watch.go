package feeder

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// kindLag is the kind of the alert about a feed that lags behind.
const kindLag = "lag"

const (
	// watchEvery is how often it is looked how far each feed is behind.
	watchEvery = 15 * time.Second
	// lagAlert is how many intervals a feed may be behind.
	lagAlert = 3
)

// watch measures how far each polled feed is behind, whoever polls it.
func (f *Feeder) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	alerted := map[checkpoint.Key]time.Time{}
	for {
		f.look(ctx, now(), alerted)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look alerts once for each time at which a feed got stuck.
func (f *Feeder) look(ctx context.Context, at time.Time, alerted map[checkpoint.Key]time.Time) {
	for _, c := range f.conns {
		for feed, d := range c.due {
			k := checkpoint.Key{Connection: c.Name, Feed: feed, Work: checkpoint.Poll}
			st, _, err := f.store.Load(ctx, k)
			if err != nil || st.Until.IsZero() {
				continue // it is told by whoever takes the turn
			}
			lag := at.Sub(st.Until)
			f.Meter.lag(k, lag)
			if lag <= lagAlert*d.interval() || alerted[k].Equal(st.Until) {
				continue
			}
			alerted[k] = st.Until
			f.Log.Error("feeder: lag", "connection", c.Name, "feed", feed, "lag", lag.Round(time.Second))
			f.alert(ctx, events.Alert{
				Severity: "warning", Kind: kindLag, Connection: c.Name, About: feed,
				Message: fmt.Sprintf("%s of %s is %s behind, and is due %s", feed, c.Name, lag.Round(time.Second), d),
				Hint:    "spoke status says what it waits for",
			})
		}
	}
}

// Meter counts what is read. The nil Meter counts nothing.
type Meter struct {
	objects  *prometheus.CounterVec
	pages    *prometheus.CounterVec
	failures *prometheus.CounterVec
	behind   *prometheus.GaugeVec
}

// NewMeter registers the metrics.
func NewMeter(r prometheus.Registerer) *Meter {
	return &Meter{
		objects: telemetry.Counter(r, "feed_objects_total",
			"Objects that were read: stored, left out (switched off or not asked for), or set apart.", "connection", "feed", "work", "result"),
		pages:    telemetry.Counter(r, "feed_pages_total", "Pages that were read and stored.", "connection", "feed", "work"),
		failures: telemetry.Counter(r, "feed_failures_total", "Passes that were interrupted, by kind of error.", "connection", "feed", "work", "kind"),
		behind:   telemetry.Gauge(r, "feed_lag_seconds", "Time since which a polled feed was not read.", "connection", "feed"),
	}
}

func (m *Meter) page(k checkpoint.Key, n counts) {
	if m == nil {
		return
	}
	m.pages.WithLabelValues(k.Connection, k.Feed, string(k.Work)).Inc()
	for result, n := range map[string]int{resultStored: n.stored, resultLeftOut: n.leftOut, resultSetApart: n.setApart} {
		m.objects.WithLabelValues(k.Connection, k.Feed, string(k.Work), result).Add(float64(n))
	}
}

// The results of an object.
const (
	resultStored   = "stored"
	resultLeftOut  = "left out"
	resultSetApart = "set apart"
)

func (m *Meter) failed(k checkpoint.Key, kind string) {
	if m != nil {
		m.failures.WithLabelValues(k.Connection, k.Feed, string(k.Work), kind).Inc()
	}
}

func (m *Meter) lag(k checkpoint.Key, d time.Duration) {
	if m != nil {
		m.behind.WithLabelValues(k.Connection, k.Feed).Set(d.Seconds())
	}
}
