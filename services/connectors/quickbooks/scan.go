package quickbooks

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// feedChanges is Intuit's change data capture: what changed in all types, with
// deletions, in one metered call. It heals what webhooks missed.
const feedChanges = "cdc"

const (
	// changesKept is how far back change data capture reaches, changesMost how
	// many objects one answer holds; there is no second page. Source: "Change
	// data capture" of the QuickBooks Online guides.
	changesKept = 30 * 24 * time.Hour
	changesMost = 1000
	// healEvery and overlap: webhooks tell at once, and what they miss is seen
	// within the hour. Times have whole seconds and are Intuit's.
	healEvery = time.Hour
	overlap   = 5 * time.Minute
	// queryTime is how conditions write times.
	queryTime = "2006-01-02T15:04:05-07:00"
)

// scanned are the types that can be read whole, in the order of their
// declaration, in which most refer to those before them.
func scanned() []string {
	var all []string
	for _, o := range objects() {
		if o.Can.Has(connector.Read) {
			all = append(all, o.Name)
		}
	}
	return all
}

func feeds() []connector.Feed {
	all := []connector.Feed{{
		Name: feedChanges, Objects: scanned(), Poll: true, Every: healEvery, Overlap: overlap, MaxAge: changesKept,
	}}
	for _, name := range scanned() {
		all = append(all, connector.Feed{Name: name, Objects: []string{name}, Backfill: true})
	}
	return all
}

// scanner implements connector.Scanner.
type scanner struct{ *reader }

// place is where a pass goes on: in a type, at a time, behind so many objects
// of that time. Positions shift when an object changes meanwhile, so a page
// begins some objects before the end of the last one, and leaves out those that
// were on it.
type place struct {
	part  int
	since int64 // Unix seconds
	start int   // from 1
	known []string
}

// stepBack is how many changes between two pages cost no object. An object that
// changes is read again in the place of its new time.
const stepBack = 10

func (p place) token() string {
	return strings.Join([]string{
		strconv.Itoa(p.part), strconv.FormatInt(p.since, 10), strconv.Itoa(p.start), strings.Join(p.known, ","),
	}, ":")
}

func readPlace(scan connector.Scan, parts int) (place, error) {
	text := strings.Split(scan.Token, ":")
	bad := fault.New(fault.Malformed, Name+": scan "+scan.Feed, "the token is none of this feed's")
	if len(text) != 4 {
		return place{}, bad
	}
	part, err1 := strconv.Atoi(text[0])
	since, err2 := strconv.ParseInt(text[1], 10, 64)
	start, err3 := strconv.Atoi(text[2])
	if err1 != nil || err2 != nil || err3 != nil || part < 0 || part >= parts || since < 0 || start < 1 {
		return place{}, bad
	}
	return place{part, since, start, strings.Split(text[3], ",")}, nil
}

// after is the place behind a full page.
func (p place) after(found []body) place {
	second := func(b body) int64 { return max(b.updated().Unix(), 0) }
	last := second(found[len(found)-1])
	n := 0 // objects of the last time, at the end of the page
	for n < len(found) && second(found[len(found)-1-n]) == last {
		n++
	}
	total := n
	if n == len(found) && last == p.since {
		total += p.start - 1
	}
	back := min(n, stepBack, len(found)/2) // so that a page always gets on
	next := place{part: p.part, since: last, start: total + 1 - back}
	for _, b := range found[len(found)-back:] {
		next.known = append(next.known, b.text("Id"))
	}
	return next
}

// Scan implements connector.Scanner.
func (s *scanner) Scan(ctx context.Context, scan connector.Scan) (connector.Page, error) {
	types := []string{scan.Feed}
	switch {
	case scan.Feed == feedChanges:
		types = scanned()
		if scan.Token == "" {
			return s.changes(ctx, scan, types)
		}
	case !slices.Contains(scanned(), scan.Feed):
		return connector.Page{}, fault.New(fault.Rejected, Name+": scan "+scan.Feed, "there is no feed %q", scan.Feed)
	}
	at := place{since: beginning(scan), start: 1}
	if scan.Token != "" {
		var err error
		if at, err = readPlace(scan, len(types)); err != nil {
			return connector.Page{}, err
		}
	}
	return s.page(ctx, scan, types, at)
}

// page reads one page of one type, in the order of change.
func (s *scanner) page(ctx context.Context, scan connector.Scan, types []string, at place) (connector.Page, error) {
	k := s.kinds[types[at.part]]
	where := "MetaData.LastUpdatedTime <= " + quote(scan.Until.UTC().Format(queryTime))
	if at.since > 0 {
		where = "MetaData.LastUpdatedTime >= " + quote(time.Unix(at.since, 0).UTC().Format(queryTime)) + " AND " + where
	}
	size := s.settings.PageSize
	found, err := s.client.page(ctx, k, k.where(where), "MetaData.LastUpdatedTime", at.start, size)
	if err != nil {
		return connector.Page{}, err
	}
	var out connector.Page
	for _, b := range found {
		if id := b.text("Id"); !slices.Contains(at.known, id) {
			out.Changes = append(out.Changes, s.snapshot(k, id, b))
		}
	}
	switch {
	case len(found) == size:
		out.Next = at.after(found).token()
	case at.part+1 < len(types):
		out.Next = place{part: at.part + 1, since: beginning(scan), start: 1}.token()
	}
	return out, nil
}

// beginning is a pass's lower bound; 0 for everything.
func beginning(scan connector.Scan) int64 {
	if scan.Since.IsZero() {
		return 0
	}
	return max(scan.Since.Unix(), 0)
}

// changes reads change data capture. When the answer is full, what is missing
// is read type by type; deletions beyond it are not told.
func (s *scanner) changes(ctx context.Context, scan connector.Scan, types []string) (connector.Page, error) {
	r := rest.Request{Op: "read changes", Method: http.MethodGet, Path: "/cdc", Safe: true, Query: url.Values{
		"entities": {strings.Join(types, ",")}, "changedSince": {scan.Since.UTC().Format(queryTime)},
	}}
	answer, resp, err := s.client.do(ctx, r)
	if err != nil {
		return connector.Page{}, err
	}
	responses, err := s.client.captures(r, resp, answer)
	if err != nil {
		return connector.Page{}, err
	}
	var out connector.Page
	for _, q := range responses {
		for _, name := range types {
			found, err := named(r, q, name)
			if err != nil {
				return connector.Page{}, err
			}
			for _, b := range found {
				out.Changes = append(out.Changes, s.captured(s.kinds[name], b))
			}
		}
	}
	if len(out.Changes) >= changesMost {
		out.Changes = slices.DeleteFunc(out.Changes, func(c events.Change) bool { return c.Op != events.OpDeleted })
		out.Next = place{since: beginning(scan), start: 1}.token()
	}
	return out, nil
}

// captured is the change that an object of change data capture amounts to.
func (s *scanner) captured(k *kind, b body) events.Change {
	if b.text("status") != "Deleted" {
		return s.snapshot(k, b.text("Id"), b)
	}
	c := s.snapshot(k, b.text("Id"), nil)
	if at := b.updated(); !at.IsZero() {
		c.At = at
	}
	return c
}
