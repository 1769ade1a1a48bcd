package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/spoke-sync/spoke/services/internal/checkpoint"
)

const (
	// lookEvery is how often the progress is read, lineEvery how often it is
	// printed where it can't be drawn over.
	lookEvery = 250 * time.Millisecond
	lineEvery = 5 * time.Second
	// rateOver is the time over which the rate is taken.
	rateOver = 15 * time.Second
	barWidth = 24
)

// follow shows the progress of a plan until it is done, or until it is
// interrupted, which ends nothing but the showing.
func (b *backfills) follow(conn checkpoint.Connection, plan []checkpoint.Feed) error {
	p := &progress{session: b.session, speed: map[string]*speed{}, ended: map[string]bool{}}
	if f, ok := b.out.(*os.File); ok {
		p.draws = term.IsTerminal(int(f.Fd()))
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		done, err := b.look(p, conn, plan)
		if b.ctx.Err() != nil {
			p.clear()
			b.printf("The backfill goes on: see it with spoke backfill %s --list, end it with spoke backfill %s --cancel.\n", conn.Name, conn.Name)
			return nil
		}
		if err != nil || done {
			p.clear()
			return err
		}
		select {
		case <-b.ctx.Done():
		case <-tick.C:
		}
	}
}

// look shows where every feed of the plan stands. It reports whether all are
// done.
func (b *backfills) look(p *progress, conn checkpoint.Connection, plan []checkpoint.Feed) (done bool, err error) {
	done = true
	var canceled []string
	current := ""
	for _, f := range plan {
		st, _, err := b.points.Load(b.ctx, checkpoint.Key{Connection: conn.Name, Feed: f.Name, Work: checkpoint.Backfill})
		if err != nil {
			return false, err
		}
		if st.Request == nil {
			p.end(f.Name, st)
			if st.Last != nil && st.Last.Canceled {
				canceled = append(canceled, f.Name)
			}
			continue
		}
		done = false
		if line := p.line(f.Name, st, time.Now()); current == "" || st.Pass != nil && st.Failure == nil {
			current = line
		}
	}
	if done && len(canceled) > 0 {
		return true, fmt.Errorf("%s: canceled: %s", conn.Name, strings.Join(canceled, ", "))
	}
	if !done {
		p.show(current, time.Now())
	}
	return done, nil
}

// progress draws one line for what is under way, and leaves one behind for each
// feed that is done.
type progress struct {
	*session

	draws bool // over the last line, on a terminal
	shown time.Time
	speed map[string]*speed
	ended map[string]bool
}

// show draws the line of what is under way, or prints it now and then.
func (p *progress) show(line string, at time.Time) {
	switch {
	case p.draws:
		p.printf("\r\x1b[2K%s", line)
	case at.Sub(p.shown) >= lineEvery:
		p.shown = at
		p.printf("%s\n", line)
	}
}

func (p *progress) clear() {
	if p.draws {
		p.printf("\r\x1b[2K")
	}
}

// end prints what a feed came to, once.
func (p *progress) end(feed string, st checkpoint.State) {
	if p.ended[feed] || st.Last == nil {
		return
	}
	p.ended[feed] = true
	p.clear()
	word := "done"
	if st.Last.Canceled {
		word = "canceled"
	}
	p.printf("%s: %s, %s objects in %s pages, %s\n", feed, word, thousands(st.Last.Objects), thousands(st.Last.Pages),
		st.Last.Ended.Sub(st.Last.Started).Round(time.Second))
}

// line says how far a feed is.
func (p *progress) line(feed string, st checkpoint.State, at time.Time) string {
	if st.Failure != nil {
		wait := max(st.Failure.RetryAt.Sub(at), 0).Round(time.Second)
		return fmt.Sprintf("%s  waits: %s (goes on in %s)", feed, plain(st.Failure.Message), wait)
	}
	if st.Pass == nil {
		return feed + "  waits for its turn"
	}
	s := p.speed[feed]
	if s == nil {
		s = &speed{}
		p.speed[feed] = s
	}
	rate := s.rate(st.Pass.Objects, at)
	return progressLine(feed, st.Pass.Objects, st.Pass.Total, rate)
}

// progressLine draws the bar where the vendor tells how many there are.
func progressLine(feed string, objects, total int, rate float64) string {
	speed := ""
	if rate > 0 {
		speed = fmt.Sprintf("  %s/s", thousands(int(rate)))
	}
	if total <= 0 {
		return fmt.Sprintf("%s  %s objects%s", feed, thousands(objects), speed)
	}
	share := min(float64(objects)/float64(total), 1)
	full := int(share * barWidth)
	line := fmt.Sprintf("%s  [%s%s] %3d %%  %s of %s%s", feed, strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
		int(share*100), thousands(objects), thousands(total), speed)
	if left := total - objects; rate > 0 && left > 0 {
		line += "  " + time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second).String() + " to go"
	}
	return line
}

// speed is objects per second over the last moments.
type speed struct {
	at      []time.Time
	objects []int
}

func (s *speed) rate(objects int, at time.Time) float64 {
	if n := len(s.objects); n > 0 && objects < s.objects[n-1] {
		*s = speed{} // begun anew
	}
	s.at, s.objects = append(s.at, at), append(s.objects, objects)
	old, _ := slices.BinarySearchFunc(s.at, at.Add(-rateOver), time.Time.Compare)
	s.at, s.objects = s.at[old:], s.objects[old:]
	took := at.Sub(s.at[0]).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(objects-s.objects[0]) / took
}

// thousands writes a number in groups of three digits.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
