package hubspot

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

const (
	journalFeed  = "journal"
	journalEvery = 30 * time.Second
	// journalAge is how long HubSpot keeps an entry, less time to catch up in.
	journalAge = 3*24*time.Hour - 6*time.Hour
	// journalPiece is how many events of an entry make one page. An entry has up
	// to 10,000.
	journalPiece = 2500
	// maxJournalFile bounds an entry's file, which has up to 5 MB.
	maxJournalFile = 16 << 20
	// journalScopes are what reading the journal needs.
	journalScopes = "developer.webhooks_journal.read developer.webhooks_journal.subscriptions.read"

	opJournal = "hubspot: read the journal"
)

// defaultHosts serve the journal's files: signed links to HubSpot's storage.
var defaultHosts = []string{"*.hubspot.com", "*.hubapi.com", "*.amazonaws.com"}

// journal reads HubSpot's webhooks journal: a log of what happened in the
// portals of an app, for those that can't be reached from outside.
type journal struct {
	api        *api // with the app's own credentials
	files      rest.Client
	version    string
	hosts      []string
	portal     int64
	connection string
	kinds      catalog
	now        func() time.Time
}

func newJournal(s *Settings, deps connector.Deps, r *reader) *journal {
	own := *r.api
	own.rest.Auth = newAppTokens(s, deps)
	j := &journal{
		api: &own, version: s.Journal.Version, hosts: s.Journal.Hosts, portal: s.PortalID, connection: deps.Connection,
		kinds: r.kinds, now: deps.Now,
		files: rest.Client{HTTP: deps.HTTP, MaxBody: maxJournalFile},
	}
	if j.version == "" {
		j.version = JournalVersion
	}
	if len(j.hosts) == 0 {
		j.hosts = defaultHosts
	}
	if u, err := url.Parse(own.rest.Base); err == nil {
		j.hosts = append(slices.Clone(j.hosts), u.Hostname())
	}
	return j
}

// entry is where a part of the journal is.
type entry struct {
	Offset string `json:"currentOffset"`
	URL    string `json:"url"`
}

// place is a position in the journal: an entry that was read, and how many
// events of the one behind it.
type place struct {
	behind string // the offset that was read last; empty at the beginning
	done   int
}

func (p place) String() string { return p.behind + "/" + strconv.Itoa(p.done) }

func parsePlace(token string) (place, bool) {
	offset, done, ok := strings.Cut(token, "/")
	n, err := strconv.Atoi(done)
	return place{offset, n}, ok && err == nil && n >= 0 && (offset == "" || validOffset(offset))
}

func validOffset(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// scan reads a piece of the entry behind the last one. The mark is the last
// entry that was read in full; without one a poll begins with the earliest
// that HubSpot has.
func (j *journal) scan(ctx context.Context, sc connector.Scan) (connector.Page, error) {
	token := sc.Token
	if token == "" {
		token = sc.Mark + "/0"
	}
	at, ok := parsePlace(token)
	if !ok {
		return connector.Page{}, fault.New(fault.Malformed, opJournal, "the token is none of this feed").WithCode("TOKEN").
			WithHint("the pass begins anew")
	}
	e, ok, err := j.next(ctx, at.behind)
	if err != nil {
		return connector.Page{}, err
	}
	if !ok {
		return connector.Page{Mark: at.behind}, nil // nothing new
	}
	f, err := j.file(ctx, e, at.done)
	if err != nil {
		return connector.Page{}, err
	}
	page := connector.Page{Mark: at.behind, Next: place{at.behind, at.done + journalPiece}.String()}
	if f.last {
		page.Mark, page.Next = e.Offset, place{e.Offset, 0}.String()
	}
	if at.behind == "" && f.published.Before(sc.Since) && !f.published.IsZero() {
		return page, nil // before the time that is asked for
	}
	for i, n := range f.events {
		changes, err := j.changes(n)
		if err != nil {
			e := fault.As(err)
			return connector.Page{}, e.WithField("journalEvents[" + strconv.Itoa(at.done+i) + "]" + e.Field)
		}
		page.Changes = append(page.Changes, changes...)
	}
	return page, nil
}

// next finds the entry behind an offset, or the first. One behind an offset
// that HubSpot no longer has is the first of those that it has: a gap as long
// as that is read anew by the backfill that Feed.MaxAge asks for.
func (j *journal) next(ctx context.Context, behind string) (entry, bool, error) {
	path := "/webhooks-journal/journal/" + url.PathEscape(j.version)
	if behind == "" {
		return j.entry(ctx, path+"/earliest")
	}
	e, ok, err := j.entry(ctx, path+"/offset/"+url.PathEscape(behind)+"/next")
	if isNotFound(err) {
		return j.entry(ctx, path+"/earliest")
	}
	return e, ok, err
}

func (j *journal) entry(ctx context.Context, path string) (entry, bool, error) {
	var e entry
	empty := false
	err := j.api.do(ctx, call{
		op: "read the journal", method: http.MethodGet, path: path, out: &e, empty: &empty,
		query: url.Values{"installPortalId": {strconv.FormatInt(j.portal, 10)}},
	})
	switch {
	case err != nil || empty:
		return entry{}, false, err
	case !validOffset(e.Offset):
		return entry{}, false, garbled(opJournal, http.StatusOK)
	}
	return e, true, j.checkURL(e.URL)
}

// checkURL refuses files of hosts that are not HubSpot's. No credentials are
// sent there, but neither should an answer decide whom this host calls.
func (j *journal) checkURL(address string) error {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "https" || "http://"+u.Host == j.api.rest.Base) && slices.ContainsFunc(j.hosts, func(h string) bool {
		suffix, wild := strings.CutPrefix(h, "*")
		return h == u.Hostname() || (wild && strings.HasSuffix(u.Hostname(), suffix))
	}) {
		return nil
	}
	return fault.New(fault.Rejected, opJournal, "an entry is at a host that is not allowed").WithCode("HOST").
		WithHint("check that HubSpot serves its journal there, and add the host to journal.hosts")
}

// file fetches an entry and reads a piece of it.
func (j *journal) file(ctx context.Context, e entry, from int) (piece, error) {
	r := rest.Request{Op: opJournal, Method: http.MethodGet, Path: e.URL, Safe: true}
	resp, err := j.files.Do(ctx, r)
	switch {
	case err != nil:
		return piece{}, err
	case resp.Status == http.StatusForbidden, resp.Status == http.StatusNotFound:
		return piece{}, fault.New(fault.Transient, opJournal, "%d: the link to the entry has expired", resp.Status)
	case !resp.OK():
		return piece{}, rest.Classify(r, resp, "")
	}
	return parseJournal(resp.Body, from, journalPiece)
}

// check reports object types whose changes do not get into the journal.
func (j *journal) check(ctx context.Context) error {
	var answer struct {
		Results []struct {
			Type       string   `json:"subscriptionType"`
			ObjectType string   `json:"objectTypeId"`
			PortalID   number   `json:"portalId"`
			Actions    []string `json:"actions"`
		} `json:"results"`
	}
	err := j.api.do(ctx, call{
		op: "read the journal's subscriptions", method: http.MethodGet, out: &answer,
		path: "/webhooks-journal/subscriptions/" + url.PathEscape(j.version),
	})
	if err != nil {
		return err
	}
	heard := map[string]bool{}
	for _, s := range answer.Results {
		if int64(s.PortalID) == j.portal && s.Type == "OBJECT" && slices.Contains(s.Actions, "UPDATE") {
			heard[s.ObjectType] = true
		}
	}
	var missing []string
	for _, k := range j.kinds {
		core := slices.Contains([]string{company.name, contact.name, product.name, deal.name, lineItem.name}, k.name)
		if core && !heard[k.typeID] {
			missing = append(missing, k.name+" ("+k.typeID+")")
		}
	}
	if len(missing) > 0 {
		return fault.New(fault.Rejected, "hubspot: check", "the journal has no subscription for %s", strings.Join(missing, ", ")).
			WithCode("NO_SUBSCRIPTION").
			WithHint("create OBJECT subscriptions with CREATE, UPDATE, DELETE, MERGE and RESTORE, and ASSOCIATION ones, for this portal")
	}
	return nil
}

// changes lists what an event of the journal says.
func (j *journal) changes(n journalEvent) ([]events.Change, error) {
	if n.PortalID != 0 && int64(n.PortalID) != j.portal {
		return nil, nil
	}
	happened, known := journalActions[n.Action]
	k, ok := j.kinds.ofType(n.ObjectTypeID)
	if !known || (!ok && happened != "associationChange") {
		return nil, nil
	}
	at, err := n.at(j.now())
	if err != nil {
		return nil, malformedEvent(err)
	}
	s := said{j.connection, at}
	var changes []events.Change
	id := n.ObjectID.id()
	switch {
	case happened == "associationChange":
		changes, err = s.association(j.kinds, k, n.notification())
	case happened == "merge":
		changes, err = s.merge(k, n.notification())
	case id == "":
		err = &fieldError{"objectId", "is missing"}
	case happened == "change" && n.own():
	case happened == "change" || k.name == lineItem.name:
		changes = []events.Change{s.signal(k, id, "")}
	case happened == "restore":
		changes = []events.Change{s.change(k, id, events.OpRestored), s.signal(k, id, "")}
	case happened == "erase":
		changes = []events.Change{s.change(k, id, events.OpErased)}
	default:
		changes = []events.Change{s.change(k, id, events.OpDeleted)}
	}
	if err != nil {
		return nil, malformedEvent(err)
	}
	return changes, nil
}

func malformedEvent(err error) *fault.Error {
	e := fault.New(fault.Malformed, opJournal, "%w", err)
	if f, ok := err.(*fieldError); ok { //nolint:errorlint // made a line before, never wrapped
		return e.WithField("." + f.field)
	}
	return e
}
