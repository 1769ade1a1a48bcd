package sink

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// Meter counts what becomes of documents. The nil Meter counts nothing.
type Meter struct {
	documents *prometheus.CounterVec
	failures  *prometheus.CounterVec
}

// NewMeter registers the counters; all sinks of a process share them.
func NewMeter(r prometheus.Registerer) *Meter {
	return &Meter{
		documents: telemetry.Counter(r, "documents_total",
			"Desired documents by connection and what became of them.", "connection", "result"),
		failures: telemetry.Counter(r, "attempts_failed_total",
			"Failed attempts by connection and kind of error.", "connection", "kind"),
	}
}

func (m *Meter) count(connection, result string) {
	if m != nil {
		m.documents.WithLabelValues(connection, result).Inc()
	}
}

// Applied counts a document that the vendor holds now.
func (m *Meter) Applied(connection, effect string) { m.count(connection, effect) }

// Superseded counts a document that a newer one replaced.
func (m *Meter) Superseded(connection string) { m.count(connection, "superseded") }

// Held counts a document that waits.
func (m *Meter) Held(connection string) { m.count(connection, "held") }

// Quarantined counts a document that was set apart.
func (m *Meter) Quarantined(connection string) { m.count(connection, "quarantined") }

// Failed counts an attempt that failed.
func (m *Meter) Failed(connection, kind string) {
	if m != nil {
		m.failures.WithLabelValues(connection, kind).Inc()
	}
}
