package jet

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoke-sync/spoke/services/internal/telemetry"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
)

// Meter tells how the warehouse keeps up. The nil Meter tells nothing.
type Meter struct {
	rows    *prometheus.CounterVec
	lag     *prometheus.GaugeVec
	refuses *prometheus.CounterVec
}

// NewMeter registers the metrics.
func NewMeter(r prometheus.Registerer) *Meter {
	return &Meter{
		rows:    telemetry.Counter(r, "warehouse_rows_total", "Rows committed to the lake, by table.", "table"),
		lag:     telemetry.Gauge(r, "warehouse_unread", "Messages on WAREHOUSE that the loader has not read yet."),
		refuses: telemetry.Counter(r, "warehouse_refused_total", "Messages that made no row and stand in QUARANTINE."),
	}
}

// Committed counts the rows of a commit; see feed.Loader.
func (m *Meter) Committed(c lake.Commit) {
	if m == nil {
		return
	}
	for _, f := range c.Files {
		m.rows.WithLabelValues(f.Table).Add(float64(f.Rows))
	}
}

func (m *Meter) behind(read, last uint64) {
	if m != nil {
		m.lag.WithLabelValues().Set(float64(last - min(read, last)))
	}
}

func (m *Meter) refused() {
	if m != nil {
		m.refuses.WithLabelValues().Inc()
	}
}
