package lake_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
)

// BenchmarkCommit appends and commits 10,000 rows of one table at a time,
// fsyncs included.
func BenchmarkCommit(b *testing.B) {
	const rows = 10_000
	l := mustOpen(b, b.TempDir())
	batch := make([]lake.Entry, rows)
	for i := range batch {
		r := aRow(b, events.EntityDeal, fmt.Sprint(i), uint64(i+1), monday, map[string]string{
			"name": fmt.Sprintf("%q", fmt.Sprint("Deal ", i)), "amount": fmt.Sprintf(`{"amount":"%d.%02d","currency":"EUR"}`, i, i%100),
			"stage": `"closedwon"`, "won": `true`, "closeDate": `"2026-11-23"`, "company": fmt.Sprintf(`{"record":"company/%d"}`, i%500),
		})
		batch[i].Row = &r
	}
	seq := uint64(0)
	for b.Loop() {
		for i := range batch {
			seq++
			batch[i].Seq = seq
		}
		require.NoError(b, l.Append(batch...))
		_, err := l.Commit()
		require.NoError(b, err)
	}
	b.ReportMetric(float64(seq)/b.Elapsed().Seconds(), "rows/s")
}
