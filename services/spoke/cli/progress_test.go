package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		objects, total int
		rate           float64
		want           string
	}{
		{0, 0, 0, "deal  0 objects"},
		{1234, 0, 99.9, "deal  1,234 objects  99/s"},
		{50_000, 200_000, 2000, "deal  [######..................]  25 %  50,000 of 200,000  2,000/s  1m15s to go"},
		{200_000, 200_000, 2000, "deal  [########################] 100 %  200,000 of 200,000  2,000/s"},
		{200_010, 200_000, 2000, "deal  [########################] 100 %  200,010 of 200,000  2,000/s"},
		{7, 8, 0, "deal  [#####################...]  87 %  7 of 8"},
	} {
		require.Equal(t, c.want, progressLine("deal", c.objects, c.total, c.rate))
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1_234_567: "1,234,567", 123_456: "123,456"} {
		require.Equal(t, want, thousands(n))
	}
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &speed{}
	require.Zero(t, s.rate(0, at))
	for i := 1; i <= 30; i++ {
		at = at.Add(time.Second)
		require.InDelta(t, 100, s.rate(i*100, at), 0.001)
	}
	require.LessOrEqual(t, len(s.at), 16, "only the last moments are kept")
	require.Zero(t, s.rate(10, at.Add(time.Second)), "begun anew")
}

// TestProgressOnATerminal draws over its line, and leaves one behind for what
// is done.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{session: &session{out: &out}, draws: true, speed: map[string]*speed{}, ended: map[string]bool{}}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	st := checkpoint.State{Request: &checkpoint.Request{}}
	p.show(p.line("deal", st, at), at)
	st.Begin(time.Time{}, at)
	st.Advance("1", 100, 200)
	p.show(p.line("deal", st, at), at)
	st.Failure = &checkpoint.Failure{Problem: events.Problem{Message: "429\x1b[2J"}, RetryAt: at.Add(3 * time.Second)}
	p.show(p.line("deal", st, at), at)
	st.Finish("", at.Add(time.Minute))
	p.end("deal", st)
	p.end("deal", st)
	const over = "\r\x1b[2K"
	require.Equal(t, over+"deal  waits for its turn"+
		over+"deal  [############............]  50 %  100 of 200"+
		over+"deal  waits: 429·[2J (goes on in 3s)"+
		over+"deal: done, 100 objects in 1 pages, 1m0s\n", out.String())
}
