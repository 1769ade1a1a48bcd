package worker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Meter counts what becomes of events. The nil Meter counts nothing.
type Meter struct {
	events    *prometheus.CounterVec
	versions  prometheus.Counter
	conflicts prometheus.Counter
	reads     *prometheus.CounterVec
}

// NewMeter registers the counters.
func NewMeter(r prometheus.Registerer) *Meter {
	f := promauto.With(r)
	return &Meter{
		events: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spoke_events_total", Help: "Events by what became of them: merged, unchanged or quarantined.",
		}, []string{"result"}),
		versions: f.NewCounter(prometheus.CounterOpts{
			Name: "spoke_record_versions_total", Help: "New versions of golden records.",
		}),
		conflicts: f.NewCounter(prometheus.CounterOpts{
			Name: "spoke_commit_retries_total", Help: "Batches that were computed anew.",
		}),
		reads: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spoke_objects_read_total", Help: "Objects read to fill in announcements, by connection.",
		}, []string{"connection"}),
	}
}

func (m *Meter) merged(facts int, dirty bool) {
	if m == nil {
		return
	}
	if dirty {
		m.versions.Inc()
		m.events.WithLabelValues("merged").Add(float64(facts))
		return
	}
	m.events.WithLabelValues("unchanged").Add(float64(facts))
}

func (m *Meter) quarantined() {
	if m != nil {
		m.events.WithLabelValues("quarantined").Inc()
	}
}

func (m *Meter) conflict() {
	if m != nil {
		m.conflicts.Inc()
	}
}

func (m *Meter) read(connection string, n int) {
	if m != nil {
		m.reads.WithLabelValues(connection).Add(float64(n))
	}
}
