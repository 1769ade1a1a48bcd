package worker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// Meter counts what becomes of events. The nil Meter counts nothing.
type Meter struct {
	events    *prometheus.CounterVec
	versions  *prometheus.CounterVec
	conflicts *prometheus.CounterVec
	reads     *prometheus.CounterVec
	ahead     *prometheus.CounterVec
	drifts    *prometheus.CounterVec
}

// NewMeter registers the counters.
func NewMeter(r prometheus.Registerer) *Meter {
	return &Meter{
		events:    telemetry.Counter(r, "events_total", "Events by what became of them: merged, unchanged, passed over or quarantined.", "result"),
		versions:  telemetry.Counter(r, "record_versions_total", "New versions of golden records."),
		conflicts: telemetry.Counter(r, "commit_retries_total", "Batches that were computed anew."),
		reads:     telemetry.Counter(r, "objects_read_total", "Objects read to fill in announcements, by connection.", "connection"),
		ahead:     telemetry.Counter(r, "source_times_ahead_total", "Changes whose source time was in the future and was set back, by connection.", "connection"),
		drifts:    telemetry.Counter(r, "documents_contested_total", "Documents whose system keeps changing a value back, by connection.", "connection"),
	}
}

func (m *Meter) merged(facts int, dirty bool) {
	if m == nil {
		return
	}
	if dirty {
		m.versions.WithLabelValues().Inc()
		m.events.WithLabelValues("merged").Add(float64(facts))
		return
	}
	m.events.WithLabelValues("unchanged").Add(float64(facts))
}

func (m *Meter) passed() {
	if m != nil {
		m.events.WithLabelValues("passed over").Inc()
	}
}

func (m *Meter) quarantined() {
	if m != nil {
		m.events.WithLabelValues("quarantined").Inc()
	}
}

func (m *Meter) conflict() {
	if m != nil {
		m.conflicts.WithLabelValues().Inc()
	}
}

func (m *Meter) read(connection string, n int) {
	if m != nil {
		m.reads.WithLabelValues(connection).Add(float64(n))
	}
}

func (m *Meter) clockAhead(connection string) {
	if m != nil {
		m.ahead.WithLabelValues(connection).Inc()
	}
}

func (m *Meter) contested(connection string) {
	if m != nil {
		m.drifts.WithLabelValues(connection).Inc()
	}
}
