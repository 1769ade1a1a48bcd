package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	// healEvery is how often searches heal what webhooks missed, searchEvery how
	// often they stand in for them.
	healEvery   = 15 * time.Minute
	searchEvery = time.Minute
	// searchOverlap covers the lag of HubSpot's index, which is "a few moments".
	searchOverlap = 5 * time.Minute
	// scanPage is the size of a page: HubSpot's limit of a list and of a batch
	// read. A search could have 200, whose associations would take as many calls.
	scanPage = 100
)

// feeds are the ways to read a portal without being told: each type by list
// and by search, and the journal where it is configured. Searches know nothing
// of deletions; webhooks and the journal do.
func feeds(s *Settings) []connector.Feed {
	every := searchEvery
	if len(s.ClientSecrets) > 0 || s.Journal != nil {
		every = healEvery
	}
	var all []connector.Feed
	var names []string
	for _, k := range newCatalog(s) {
		f := connector.Feed{Name: k.name, Objects: []string{k.name}, Backfill: true, Poll: true, Overlap: searchOverlap}
		switch k.name {
		case lineItem.name:
			// Lines come with what they belong to; a change of one does not touch it.
			f.Backfill, f.Every = false, every
		case company.name, contact.name, product.name, deal.name:
			f.Every = every
		default: // which many portals do not use
		}
		all, names = append(all, f), append(names, k.name)
	}
	if s.Journal != nil {
		all = append(all, connector.Feed{Name: journalFeed, Objects: names, Poll: true, Every: journalEvery, MaxAge: journalAge})
	}
	return all
}

// scanner reads a portal in pages.
type scanner struct {
	*reader
	journal *journal // nil where it is not configured
}

func newScanner(s *Settings, deps connector.Deps, r *reader) *scanner {
	sc := &scanner{reader: r}
	if s.Journal != nil {
		sc.journal = newJournal(s, deps, r)
	}
	return sc
}

// Scan reads one page. A backfill lists the records with their associations in
// one call, and their lines in one more per hundred; a poll searches.
func (s *scanner) Scan(ctx context.Context, sc connector.Scan) (connector.Page, error) {
	op := "hubspot: scan " + sc.Feed
	if sc.Feed == journalFeed && s.journal != nil {
		return s.journal.scan(ctx, sc)
	}
	k, ok := s.kinds.named(sc.Feed)
	switch {
	case !ok:
		return connector.Page{}, fault.New(fault.Rejected, op, "there is no such feed").WithCode("UNKNOWN_FEED")
	case sc.Token != "" && !validID(sc.Token):
		return connector.Page{}, fault.New(fault.Malformed, op, "the token is none of this feed").WithCode("TOKEN").
			WithHint("the pass begins anew")
	case sc.Since.IsZero():
		return s.list(ctx, k, sc.Token)
	}
	return s.search(ctx, k, sc)
}

// list reads a page of all records of a kind. after is HubSpot's own cursor,
// the id of the next record, which is good for as long as there are records.
func (s *scanner) list(ctx context.Context, k kind, after string) (connector.Page, error) {
	op := "list " + k.plural
	q := url.Values{"limit": {strconv.Itoa(scanPage)}, "properties": {strings.Join(s.names(k), ",")}}
	if after != "" {
		q.Set("after", after)
	}
	var ends []string
	for _, o := range s.kinds.linked(k) {
		ends = append(ends, o.plural)
	}
	if len(ends) > 0 {
		q.Set("associations", strings.Join(ends, ","))
	}
	var answer struct {
		Results []record `json:"results"`
		Paging  *paging  `json:"paging"`
	}
	err := s.api.do(ctx, call{op: op, method: http.MethodGet, path: s.api.objects(k, ""), query: q, out: &answer})
	if err != nil {
		return connector.Page{}, err
	}
	if answer.Results == nil {
		return connector.Page{}, garbled("hubspot: "+op, http.StatusOK)
	}
	next := ""
	if answer.Paging != nil {
		next = answer.Paging.Next.After
	}
	if next != "" && (!validID(next) || next == after) {
		return connector.Page{}, garbled("hubspot: "+op, http.StatusOK)
	}
	src, err := s.withInline(ctx, k, answer.Results)
	if err != nil {
		return connector.Page{}, err
	}
	changes, err := s.snapshots(ctx, k, src)
	return connector.Page{Changes: changes, Next: next}, err
}

// withInline takes the associations that came with records, and reads those of
// records that have more than fit.
func (s *scanner) withInline(ctx context.Context, k kind, records []record) (source, error) {
	src := source{records: records, links: map[string]map[string][]end{}}
	for _, o := range s.kinds.linked(k) {
		found := make(map[string][]end, len(records))
		var more []string
		for _, rec := range records {
			ends, complete := inline(k, o, rec)
			if found[rec.ID] = ends; !complete {
				more = append(more, rec.ID)
			}
		}
		all, err := s.api.linked(ctx, k, o, more)
		if err != nil {
			return source{}, err
		}
		for id, ends := range all {
			found[id] = ends
		}
		src.links[o.name] = found
	}
	return src, nil
}

// snapshots puts records together, with the lines that they need.
func (s *scanner) snapshots(ctx context.Context, k kind, src source) ([]events.Change, error) {
	if err := s.complete(ctx, k, &src); err != nil {
		return nil, err
	}
	changes := make([]events.Change, 0, len(src.records))
	for _, rec := range src.records {
		if !validID(rec.ID) || rec.Properties == nil {
			return nil, garbled("hubspot: read "+k.plural, http.StatusOK)
		}
		c, err := s.snapshot(ctx, k, rec, src)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// filter is one condition of a search.
type filter struct {
	Property string `json:"propertyName"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

// search reads a page of what changed in a window that stays the same for a
// whole pass. Pages are cut by id, never by time or by offset: a bulk edit
// gives any number of records one time, and an offset ends at 10,000. Each page
// is a search of its own for the ids behind the last one, so that no search
// comes near its limit.
func (s *scanner) search(ctx context.Context, k kind, sc connector.Scan) (connector.Page, error) {
	op := "search " + k.plural
	filters := []filter{
		{k.modified, "GTE", strconv.FormatInt(sc.Since.UnixMilli(), 10)},
		{k.modified, "LTE", strconv.FormatInt(sc.Until.UnixMilli(), 10)},
	}
	if sc.Token != "" {
		filters = append(filters, filter{"hs_object_id", "GT", sc.Token})
	}
	properties := s.names(k)
	if k.name == lineItem.name {
		properties = []string{k.modified}
	}
	var answer struct {
		Total   int      `json:"total"`
		Results []record `json:"results"`
	}
	err := s.api.do(ctx, call{
		op: op, method: http.MethodPost, path: s.api.objects(k, "/search"), out: &answer,
		body: map[string]any{
			"filterGroups": []any{map[string]any{"filters": filters}},
			"sorts":        []any{map[string]string{"propertyName": "hs_object_id", "direction": "ASCENDING"}},
			"properties":   properties, "limit": scanPage,
		},
	})
	if err != nil {
		return connector.Page{}, err
	}
	if answer.Results == nil {
		return connector.Page{}, garbled("hubspot: "+op, http.StatusOK)
	}
	page := connector.Page{}
	if sc.Token == "" {
		page.Total = answer.Total
	}
	if n := len(answer.Results); n == scanPage || n < answer.Total && n > 0 {
		page.Next = answer.Results[n-1].ID
		if !validID(page.Next) || byID(page.Next, sc.Token) <= 0 {
			return connector.Page{}, garbled("hubspot: "+op, http.StatusOK)
		}
	}
	if k.name == lineItem.name {
		page.Changes, err = s.signals(k, answer.Results)
		return page, err
	}
	src := source{records: answer.Results, links: map[string]map[string][]end{}}
	ids := make([]string, len(answer.Results))
	for i, rec := range answer.Results {
		ids[i] = rec.ID
	}
	for _, o := range s.kinds.linked(k) {
		if src.links[o.name], err = s.api.linked(ctx, k, o, ids); err != nil {
			return connector.Page{}, err
		}
	}
	page.Changes, err = s.snapshots(ctx, k, src)
	return page, err
}

// signals announces records that must be read by way of what they belong to.
func (s *scanner) signals(k kind, records []record) ([]events.Change, error) {
	changes := make([]events.Change, 0, len(records))
	for _, rec := range records {
		at, err := modified(k, rec)
		if err != nil {
			return nil, err
		}
		changes = append(changes, said{s.connection, at}.signal(k, rec.ID, ""))
	}
	return changes, nil
}
