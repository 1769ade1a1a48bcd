package netsuite

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	// feedEvery is how often a feed is polled in real time: NetSuite has no
	// webhooks of its own. An empty poll is one call.
	feedEvery = 2 * time.Minute
	// feedOverlap covers NetSuite's own delay and the minute that a poll stops
	// short of now.
	feedOverlap = 6 * time.Minute
	// short is how far from now a pass ends: what is being committed has its
	// date already.
	short = time.Minute
	// grainOfDates rounds up: neither dates nor the server's time have parts of
	// a second.
	grainOfDates = 2 * time.Second
)

// reader implements connector.Reader and connector.Scanner.
type reader struct {
	api        *api
	money      *currencies
	zone       *zone
	settings   *Settings
	connection string
	app        string
	pages      map[string]string // of the records, for people
	sources    map[string]source
	log        *slog.Logger
}

// cursor is where a pass stands. It is the token of a scan.
type cursor struct {
	// From and To bound the pass in the account's local time; Offset is that
	// of its beginning, in seconds, and says how dates are read.
	From   string `json:"from,omitempty"`
	To     string `json:"to"`
	Offset int    `json:"offset"`
	// Date, ID and Type are those of the last object.
	Date string `json:"date,omitempty"`
	ID   string `json:"id,omitempty"`
	Type string `json:"type,omitempty"`
	// Total is how many objects the pass had at its beginning.
	Total int `json:"total,omitempty"`
	// Poll is set for a pass that is no backfill.
	Poll bool `json:"poll,omitempty"`
}

var digits = regexp.MustCompile(`^[0-9]{1,18}$`)

// Scan implements connector.Scanner. A pass goes by date and id: the next page
// begins behind the last object, however many have one date, and however many
// change meanwhile.
func (r *reader) Scan(ctx context.Context, s connector.Scan) (connector.Page, error) {
	op := "scan " + s.Feed
	src, ok := r.sources[s.Feed]
	if !ok && s.Feed != feedDeleted {
		return connector.Page{}, fault.New(fault.Rejected, "netsuite: "+op, "there is no such feed")
	}
	now, err := r.zone.stand(ctx)
	if err != nil {
		return connector.Page{}, err
	}
	c, err := r.begin(s, now, op)
	if err != nil {
		return connector.Page{}, err
	}
	if s.Feed == feedDeleted {
		return r.deleted(ctx, c, now)
	}
	began := r.zone.now()
	p, err := r.api.page(ctx, op, src.selection()+conditions(
		src.where, c.span(src.alias+"."+src.modified), c.behind(src.alias+"."+src.modified, src.alias+".id"),
	)+" ORDER BY "+src.alias+"."+src.modified+", "+src.alias+".id", src.size, 0)
	if err != nil {
		return connector.Page{}, err
	}
	ended := r.zone.now()
	changes, err := r.changes(ctx, src, p.rows, now.at(c))
	if err != nil {
		return connector.Page{}, err
	}
	for i := range changes {
		changes[i].ReadBetween(began, ended) // SuiteQL shows what stands in the database, and no index
	}
	if src.settles() && c.Poll {
		changes = append(changes, r.touched(changes)...)
	}
	return c.page(changes, p, op, "id", "")
}

// begin reads the token, or begins a pass.
func (r *reader) begin(s connector.Scan, now stand, op string) (cursor, error) {
	var c cursor
	if s.Token != "" {
		if json.Unmarshal([]byte(s.Token), &c) != nil || !c.valid() {
			return c, fault.New(fault.Malformed, "netsuite: "+op, "the token is not one of this version").WithHint("the pass begins anew")
		}
		return c, nil
	}
	since, until := s.Since, s.Until.Add(now.ahead-short)
	if !since.IsZero() {
		since = since.Add(now.ahead)
	}
	before := now.offsetAt(until)
	if seconds, err := strconv.Atoi(s.Mark); err == nil {
		before = time.Duration(seconds) * time.Second
	}
	c.From, c.To = now.span(since, until.Add(grainOfDates), before)
	c.Offset, c.Poll = int(now.offsetAt(until)/time.Second), !s.Since.IsZero()
	return c, nil
}

func (c cursor) valid() bool {
	for _, date := range []string{c.From, c.To, c.Date} {
		if _, err := time.Parse(time.DateTime, date); date != "" && err != nil {
			return false
		}
	}
	return c.To != "" && (c.ID == "" || digits.MatchString(c.ID))
}

// at is the stand of a pass: its dates are read as those of its beginning.
func (s stand) at(c cursor) stand {
	if s.loc.String() == "" { // measured
		s.loc = time.FixedZone("", c.Offset)
	}
	return s
}

// span is the condition that a date is within the pass.
func (c cursor) span(column string) string {
	to := column + " < " + dateOf(c.To)
	if c.From == "" {
		return to
	}
	return column + " >= " + dateOf(c.From) + " AND " + to
}

// behind is the condition that an object comes after the last one.
func (c cursor) behind(date, id string, then ...string) string {
	if c.Date == "" {
		return ""
	}
	at := dateOf(c.Date)
	s := date + " > " + at + " OR (" + date + " = " + at + " AND " + id + " > " + c.ID + ")"
	for _, column := range then {
		s += " OR (" + date + " = " + at + " AND " + id + " = " + c.ID + " AND " + column + " > " + quote(c.Type) + ")"
	}
	return "(" + s + ")"
}

// page is the page of some rows, and where the pass goes on.
func (c cursor) page(changes []events.Change, p rowPage, op, id, kind string) (connector.Page, error) {
	if c.Total == 0 {
		c.Total = p.total
	}
	out := connector.Page{Changes: changes, Total: c.Total, Mark: strconv.Itoa(c.Offset)}
	if !p.more {
		return out, nil
	}
	if len(p.rows) == 0 {
		return connector.Page{}, unreadable(op)
	}
	last := p.rows[len(p.rows)-1]
	c.Date, c.ID = last.text("modified"), last.text(id)
	if kind != "" {
		c.Type = last.text(kind)
	}
	if !c.valid() || c.Date == "" || c.ID == "" {
		return connector.Page{}, unreadable(op)
	}
	token, err := json.Marshal(c)
	if err != nil {
		return connector.Page{}, fault.New(fault.Internal, "netsuite: "+op, "%w", err)
	}
	out.Next = string(token)
	return out, nil
}

// touched are signals of the invoices that changes settle: being settled need
// not touch an invoice's own date.
func (r *reader) touched(changes []events.Change) []events.Change {
	var all []events.Change
	seen := map[string]bool{}
	for _, c := range changes {
		var applied []events.Applied
		if json.Unmarshal(c.Fields["applied"], &applied) != nil {
			continue
		}
		for _, a := range applied {
			if a.Invoice.Object != typeInvoice || seen[a.Invoice.ID] {
				continue
			}
			seen[a.Invoice.ID] = true
			all = append(all, events.Change{
				Connection: r.connection, Entity: events.EntityInvoice, Object: typeInvoice, ID: a.Invoice.ID,
				Op: events.OpChanged, At: c.At, Signal: true,
			})
		}
	}
	return all
}

// BatchSize implements connector.Reader.
func (r *reader) BatchSize() int { return lineSize }

// Read implements connector.Reader.
func (r *reader) Read(ctx context.Context, object string, ids []string) ([]events.Change, error) {
	op := "read " + title(object)
	src, ok := r.sources[object]
	if !ok {
		return nil, fault.New(fault.Rejected, "netsuite: "+op, "there is no such object type").WithCode("UNKNOWN_OBJECT")
	}
	for _, id := range ids {
		if !digits.MatchString(id) {
			return nil, fault.New(fault.Rejected, "netsuite: "+op, "an id is no internal id").WithCode("INVALID_ID")
		}
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return nil, nil
	}
	now, err := r.zone.stand(ctx)
	if err != nil {
		return nil, err
	}
	var all []events.Change
	for chunk := range slices.Chunk(ids, src.size) {
		rows, err := r.api.query(ctx, op, src.selection()+conditions(src.where, in(src.alias+".id", chunk))+" ORDER BY "+src.alias+".id")
		if err != nil {
			return nil, err
		}
		changes, err := r.changes(ctx, src, rows, now)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
		for _, id := range chunk {
			if !slices.ContainsFunc(changes, func(c events.Change) bool { return c.ID == id }) {
				all = append(all, r.gone(src, id, now.now))
			}
		}
	}
	return all, nil
}

func (r *reader) gone(src source, id string, at time.Time) events.Change {
	return events.Change{
		Connection: r.connection, Entity: src.entity, Object: src.object, ID: id, Op: events.OpDeleted, At: at,
	}
}
