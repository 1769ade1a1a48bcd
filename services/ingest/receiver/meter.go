package receiver

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// unknownSpeaker is the label of whoever did not say who they are, or said
// wrong.
const unknownSpeaker = "unknown"

// The results of an accepted event.
const (
	resultStored   = "stored"
	resultRepeated = "repeated"
	resultApart    = "set apart" // a webhook that can't be read
	resultLeftOut  = "left out"
)

// meter counts what comes in. Its labels are routes, configured names and
// codes, never anything from outside.
type meter struct {
	requests *prometheus.CounterVec
	accepted *prometheus.CounterVec
	ahead    *prometheus.CounterVec
	publish  *prometheus.HistogramVec
}

func newMeter(reg *prometheus.Registry) *meter {
	var to prometheus.Registerer
	if reg != nil {
		to = reg
	}
	return &meter{
		requests: telemetry.Counter(to, "ingest_requests_total",
			`Requests by route, connection and code: "stored", or why they were refused.`, "route", "connection", "code"),
		accepted: telemetry.Counter(to, "ingest_events_total",
			"Accepted events: stored, repeated and known to be stored, or left out since their entity is polled or off.", "connection", "result"),
		ahead: telemetry.Counter(to, "ingest_clock_ahead_total",
			"Events whose time was in the future and has been set to now.", "connection"),
		publish: telemetry.Seconds(to, "ingest_publish_seconds", "Time until events were on disk."),
	}
}

func (m *meter) request(route, connection, code string) {
	m.requests.WithLabelValues(route, connection, code).Inc()
}

func (m *meter) events(connection, result string, n int) {
	if n > 0 {
		m.accepted.WithLabelValues(connection, result).Add(float64(n))
	}
}

func (m *meter) clockAhead(connection string) { m.ahead.WithLabelValues(connection).Inc() }

func (m *meter) published(d time.Duration) { m.publish.WithLabelValues().Observe(d.Seconds()) }

// size writes a number of bytes for people.
func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	if n >= 1<<10 {
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
