package connectortest

import (
	"context"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// addScanner adds the checks of each feed of the fixture.
func addScanner(add adder, probe *env) {
	for i, s := range probe.Scans {
		of := func(name string, run func(t testing.TB, e *env, f feed)) {
			add("scan/"+name+" "+s.Feed, func(t testing.TB, e *env) { run(t, e, e.feed(t, i)) })
		}
		f, _ := probe.kind.Feed(s.Feed)
		of("everything", checkEverything)
		of("repeat", checkRepeatedScan)
		of("resume", checkResume)
		if f.Poll {
			of("since", checkSince)
		}
		if s.Delete != nil {
			of("deleted", checkDeleted)
		}
		of("stale token", checkStaleToken)
		of("faults", checkScanFaults)
	}
	add("scan/unknown feed", checkUnknownFeed)
}

// feed is one feed under test.
type feed struct {
	Scan
	connector.Feed
	began time.Time // before anything was seeded
}

func (e *env) feed(t testing.TB, i int) feed {
	t.Helper()
	f, ok := e.kind.Feed(e.Scans[i].Feed)
	if !ok {
		t.Fatalf("the fixture scans %q, which is no feed of the kind", e.Scans[i].Feed)
	}
	return feed{Scan: e.Scans[i], Feed: f, began: time.Now().UTC().Add(-time.Minute)}
}

// first is the first scan of a pass over all that was seeded: a backfill where
// the feed has one, else a poll.
func (f feed) first() connector.Scan {
	s := connector.Scan{Feed: f.Name, Until: time.Now().UTC().Add(time.Minute)}
	if !f.Backfill {
		s.Since = f.began
	}
	return s
}

// threePages seeds so many objects that a pass takes three pages.
func (f feed) threePages(t testing.TB) []events.External {
	t.Helper()
	n := 2*f.Page + 1
	made := f.Seed(t, n)
	if len(made) != n {
		t.Fatalf("feed %s: Seed made %d objects, want %d", f.Name, len(made), n)
	}
	return made
}

// maxPages ends a pass that never does.
const maxPages = 1000

// pass reads pages from a scan on to the end, and checks each.
func (e *env) pass(t testing.TB, f feed, s connector.Scan) []connector.Page {
	t.Helper()
	var pages []connector.Page
	for len(pages) < maxPages {
		p, err := e.con.Scanner.Scan(t.Context(), s)
		if err != nil {
			t.Fatalf("feed %s, page %d: %v", f.Name, len(pages)+1, err)
		}
		e.mustBePage(t, f, p)
		pages = append(pages, p)
		if p.Next == "" {
			return pages
		}
		if p.Next == s.Token {
			t.Fatalf("feed %s, page %d: its token is that of the page before", f.Name, len(pages))
		}
		s.Token = p.Next
	}
	t.Fatalf("feed %s: no end after %d pages", f.Name, maxPages)
	return nil
}

func (e *env) mustBePage(t testing.TB, f feed, p connector.Page) {
	t.Helper()
	if len(p.Changes) > f.Page {
		t.Errorf("feed %s: a page has %d changes, want at most %d", f.Name, len(p.Changes), f.Page)
	}
	for _, c := range p.Changes {
		e.mustBeChange(t, c)
		if c.Op == events.OpChanged && !c.Signal && !c.Snapshot {
			t.Errorf("feed %s: %s %s is neither a snapshot nor a signal", f.Name, c.Object, c.ID)
		}
	}
}

// times counts how often each object comes in pages.
func times(pages []connector.Page) map[events.External]int {
	n := map[events.External]int{}
	for _, p := range pages {
		for _, c := range p.Changes {
			n[events.External{Object: c.Object, ID: c.ID}]++
		}
	}
	return n
}

func named(x events.External) events.External { return events.External{Object: x.Object, ID: x.ID} }

// checkEverything: a pass over objects that nobody changes yields each once.
func checkEverything(t testing.TB, e *env, f feed) {
	made := f.threePages(t)
	before := e.Sandbox.Counts()
	pages := e.pass(t, f, f.first())
	if len(pages) < 3 {
		t.Errorf("feed %s: %d objects came in %d pages, want at least 3: is Page right?", f.Name, len(made), len(pages))
	}
	n := times(pages)
	for _, x := range made {
		if got := n[named(x)]; got != 1 {
			t.Fatalf("feed %s: %s %s comes %d times, want 1", f.Name, x.Object, x.ID, got)
		}
	}
	for _, p := range pages {
		if p.Total != 0 && p.Total < len(made) {
			t.Errorf("feed %s: a page says that there are %d objects, and there are %d", f.Name, p.Total, len(made))
		}
	}
	if e.grew(before.Effects) {
		t.Errorf("scanning %s changed something", f.Name)
	}
}

// checkRepeatedScan: a scan that is repeated says the same, word by word. What it
// says gets its event's id from the content, so that it counts once.
func checkRepeatedScan(t testing.TB, e *env, f feed) {
	f.threePages(t)
	s := f.first() // one pass: its bounds stay the same
	first := e.pass(t, f, s)
	e.reopen(t)
	again := e.pass(t, f, s)
	said := map[string]bool{}
	for _, p := range first {
		for _, c := range p.Changes {
			said[c.Digest()] = true
		}
	}
	for _, p := range again {
		for _, c := range p.Changes {
			if !said[c.Digest()] {
				t.Fatalf("feed %s: %s %s is told in other words when it is read again: it would count twice", f.Name, c.Object, c.ID)
			}
		}
	}
}

// checkResume: from each token another process, days later, reads the rest.
func checkResume(t testing.TB, e *env, f feed) {
	made := f.threePages(t)
	s := f.first()
	pages := e.pass(t, f, s)
	for i, p := range pages[:len(pages)-1] {
		e.reopen(t)
		rest := s
		rest.Token = p.Next
		n := times(append(pages[:i+1:i+1], e.pass(t, f, rest)...))
		for _, x := range made {
			if got := n[named(x)]; got != 1 {
				t.Fatalf("feed %s: %s %s comes %d times in a pass that goes on after page %d, want 1", f.Name, x.Object, x.ID, got, i+1)
			}
		}
	}
}

// reopen opens the connector anew, as after a restart.
func (e *env) reopen(t testing.TB) {
	t.Helper()
	con, err := e.kind.Open(e.Settings, e.deps)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	e.con = con
}

// poll returns the pass that follows the last one, and its pages.
func (e *env) poll(t testing.TB, f feed, since time.Time, mark string) (pages []connector.Page, next string) {
	t.Helper()
	until := time.Now().UTC().Add(time.Minute)
	if !until.After(since) {
		until = since.Add(time.Minute)
	}
	pages = e.pass(t, f, connector.Scan{Feed: f.Name, Since: since, Until: until, Mark: mark})
	return pages, pages[len(pages)-1].Mark
}

// checkSince: a poll tells what changed since the last one, and nothing when
// nothing did.
func checkSince(t testing.TB, e *env, f feed) {
	made := f.threePages(t)
	pages, mark := e.poll(t, f, f.began, "")
	n := times(pages)
	for _, x := range made {
		if n[named(x)] == 0 {
			t.Fatalf("feed %s: a poll since before %s %s was made does not yield it", f.Name, x.Object, x.ID)
		}
	}
	changed := made[len(made)/2]
	f.Change(t, changed)
	pages, mark = e.poll(t, f, f.began, mark)
	if times(pages)[named(changed)] == 0 {
		t.Errorf("feed %s: %s %s was changed, and a poll does not yield it", f.Name, changed.Object, changed.ID)
	}
	const later = time.Hour // than any change, whatever the precision of the vendor's times
	pages, _ = e.poll(t, f, time.Now().UTC().Add(later), mark)
	if n := times(pages); len(n) > 0 {
		t.Errorf("feed %s: a poll since after every change yields %d objects", f.Name, len(n))
	}
}

// checkDeleted: a feed that tells of deletions does.
func checkDeleted(t testing.TB, e *env, f feed) {
	made := f.Seed(t, 2)
	_, mark := e.poll(t, f, f.began, "")
	gone := made[0]
	f.Delete(t, gone)
	pages, _ := e.poll(t, f, f.began, mark)
	for _, p := range pages {
		for _, c := range p.Changes {
			if c.Object != gone.Object || c.ID != gone.ID || c.Op == events.OpChanged && !c.Signal {
				continue
			}
			return
		}
	}
	t.Errorf("feed %s: %s %s was deleted, and a poll does not tell", f.Name, gone.Object, gone.ID)
}

// checkStaleToken: a token that means nothing is Malformed, and never the
// beginning or the end of a pass.
func checkStaleToken(t testing.TB, e *env, f feed) {
	f.Seed(t, 1)
	for _, token := range []string{"no such token", "{}", "\x00"} {
		s := f.first()
		s.Token = token
		_, err := e.con.Scanner.Scan(t.Context(), s)
		e.mustFault(t, err, fault.Malformed)
	}
}

func checkUnknownFeed(t testing.TB, e *env) {
	_, err := e.con.Scanner.Scan(t.Context(), connector.Scan{Feed: "noSuchFeed", Until: time.Now().UTC()})
	e.mustFault(t, err, fault.Rejected, fault.Internal)
}

func checkScanFaults(t testing.TB, e *env, f feed) {
	f.Seed(t, 1)
	scan := func(ctx context.Context) error {
		_, err := e.con.Scanner.Scan(ctx, f.first())
		return err
	}
	for _, c := range refusals {
		e.Sandbox.Inject(c.fault)
		e.mustFault(t, scan(t.Context()), c.kinds...)
		e.Sandbox.ClearFaults()
	}
	e.Sandbox.Inject(sandbox.Fault{Kind: sandbox.FaultExpire})
	e.mustFault(t, scan(t.Context()), fault.Unauthorized)
	e.Sandbox.ClearFaults()
	if err := scan(t.Context()); err != nil {
		t.Fatalf("feed %s: scan after the faults are over: %v", f.Name, err)
	}
	for _, c := range garbled {
		e.wire.answer(c.status, c.contentType, c.body)
		e.mustFault(t, scan(t.Context()), c.kinds...)
	}
	e.wire.restore()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.mustFault(t, scan(ctx))
}
