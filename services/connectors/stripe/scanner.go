package stripe

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// feedEvents is the log of what changed, which heals what webhooks missed.
const feedEvents = "events"

const (
	// eventsKept is how far back Stripe lists events. Source: docs.stripe.com/api/events.
	eventsKept = 30 * 24 * time.Hour
	// maxTypes is how many types of events one call may name.
	maxTypes = 20
	// healEvery and overlap: webhooks tell at once, and Stripe's list may be
	// behind by moments.
	healEvery = 15 * time.Minute
	overlap   = 5 * time.Minute
)

// backfilled are the types that Stripe lists whole, in an order in which most
// refer to those before them.
var backfilled = []string{
	objectCustomer, objectProduct, objectSubscription, objectQuote, objectInvoice, objectPaymentLink, objectPayment, objectRefund,
	objectDispute, objectCreditNote,
}

func feeds() []connector.Feed {
	all := []connector.Feed{{
		Name: feedEvents, Objects: backfilled, Poll: true, Every: healEvery, Overlap: overlap, MaxAge: eventsKept,
	}}
	for _, o := range backfilled {
		all = append(all, connector.Feed{Name: o, Objects: []string{o}, Backfill: true})
	}
	return all
}

// scanner implements connector.Scanner.
type scanner struct {
	*reader
	log *slog.Logger
}

// Scan implements connector.Scanner.
func (s *scanner) Scan(ctx context.Context, scan connector.Scan) (connector.Page, error) {
	switch {
	case scan.Feed == feedEvents:
		return s.events(ctx, scan)
	case scan.Feed == objectPayment:
		return s.payments(ctx, scan)
	case slices.Contains(backfilled, scan.Feed):
		return s.objects(ctx, scan)
	default:
		return connector.Page{}, fault.New(fault.Rejected, "stripe: scan "+scan.Feed, "there is no feed %q", scan.Feed)
	}
}

// cursor is where a pass goes on: behind the object with an id, in a part of
// the feed.
type cursor struct {
	part int
	id   string
}

func (c cursor) token() string { return strconv.Itoa(c.part) + ":" + c.id }

// readCursor refuses what is no token of this feed's.
func readCursor(scan connector.Scan, parts int, prefix string) (cursor, error) {
	if scan.Token == "" {
		return cursor{}, nil
	}
	part, id, ok := strings.Cut(scan.Token, ":")
	n, err := strconv.Atoi(part)
	if !ok || err != nil || n < 0 || n >= parts || id != "" && !strings.HasPrefix(id, prefix) {
		return cursor{}, staleToken(scan.Feed)
	}
	return cursor{n, id}, nil
}

func staleToken(feed string) *fault.Error {
	return fault.New(fault.Malformed, "stripe: scan "+feed, "the token is none of this feed's")
}

// page reads one page behind a cursor.
func (s *scanner) page(ctx context.Context, feed, path string, query url.Values, after string) (data []json.RawMessage, more bool, err error) {
	query.Set("limit", pageSize)
	if after != "" {
		query.Set("starting_after", after)
	}
	raw, err := s.api.do(ctx, "scan "+feed, "GET", path, query)
	if err != nil {
		if after != "" && missing(err) { // deleted, or of 30 days ago
			return nil, false, staleToken(feed)
		}
		return nil, false, err
	}
	p, err := decode[listPage]("scan "+feed, raw)
	if err == nil && p.Data == nil {
		err = fault.New(fault.Transient, "stripe: scan "+feed, "the answer is no list")
	}
	return p.Data, p.HasMore && len(p.Data) > 0, err
}

// typeGroups are the types of events, in groups that fit into one call.
func typeGroups() [][]string {
	var all []string
	for _, types := range eventTypes {
		all = append(all, types...)
	}
	slices.Sort(all)
	return slices.Collect(slices.Chunk(all, maxTypes))
}

// events reads the log of the pass's span of time, one group of types after
// the other. The span is fixed, so that a page that is read again is the same,
// and what is told later than it happened is caught by the overlap.
func (s *scanner) events(ctx context.Context, scan connector.Scan) (connector.Page, error) {
	groups := typeGroups()
	at, err := readCursor(scan, len(groups), "evt_")
	if err != nil {
		return connector.Page{}, err
	}
	q := span(scan)
	q["types[]"] = groups[at.part]
	data, more, err := s.page(ctx, scan.Feed, eventsPath, q, at.id)
	if err != nil {
		return connector.Page{}, err
	}
	var out connector.Page
	seen := map[thing]bool{}
	for _, raw := range data {
		n, err := decode[notice]("scan events", raw)
		if err != nil {
			return connector.Page{}, err
		}
		at.id = n.ID
		when, err := n.time()
		var about []thing
		if err == nil {
			about, err = n.about()
		}
		if err != nil { // one event that nobody understands must not hide the others
			s.log.Warn("stripe: an event is left out", "event", n.ID, "error", err)
			continue
		}
		for _, t := range about {
			// The newest comes first, and one read tells all.
			if t.id != "" && !seen[t] {
				seen[t] = true
				out.Changes = append(out.Changes, s.signal(t, when))
			}
		}
	}
	out.Next = next(at, more, len(groups))
	return out, nil
}

// next is the token of what follows, or "" at the end.
func next(at cursor, more bool, parts int) string {
	switch {
	case more:
		return at.token()
	case at.part+1 < parts:
		return cursor{part: at.part + 1}.token()
	default:
		return ""
	}
}

// span bounds a pass by time of creation.
func span(scan connector.Scan) url.Values {
	q := url.Values{"created[lte]": {strconv.FormatInt(scan.Until.Unix(), 10)}}
	if !scan.Since.IsZero() {
		q.Set("created[gte]", strconv.FormatInt(scan.Since.Unix(), 10))
	}
	return q
}

// unspanned are lists that can't be bounded by time.
func unspanned(object string) bool { return object == objectQuote || object == objectPaymentLink }

// objects lists all objects of a type. Stripe notes no time of change, so that
// what is listed is said to stand as of the beginning of the pass.
func (s *scanner) objects(ctx context.Context, scan connector.Scan) (connector.Page, error) {
	src, _ := s.source(scan.Feed)
	at, err := readCursor(scan, 1, "")
	if err != nil {
		return connector.Page{}, err
	}
	q := span(scan)
	if unspanned(scan.Feed) {
		q = url.Values{}
	}
	if scan.Feed == objectSubscription {
		q.Set("status", "all") // those that ended too
	}
	for name, v := range src.query("data.") {
		q[name] = v
	}
	data, more, err := s.page(ctx, scan.Feed, src.path, q, at.id)
	if err != nil {
		return connector.Page{}, err
	}
	var out connector.Page
	for _, raw := range data {
		id, err := decode[identity]("scan "+scan.Feed, raw)
		if err != nil {
			return connector.Page{}, err
		}
		at.id = id.ID
		c, err := s.listed(ctx, scan, src, id, raw)
		if err != nil {
			return connector.Page{}, err
		}
		out.Changes = append(out.Changes, c...)
	}
	out.Next = next(at, more, 1)
	return out, nil
}

// listed makes the change of an object that came in a list. One that takes
// further calls, or that Spoke can't make out, is read by itself: so it fails
// by itself.
func (s *scanner) listed(ctx context.Context, scan connector.Scan, src source, id identity, raw json.RawMessage) ([]events.Change, error) {
	signal := []events.Change{s.signal(thing{scan.Feed, id.ID}, scan.Until)}
	if scan.Feed == objectRefund || scan.Feed == objectDispute {
		return signal, nil
	}
	if scan.Feed == objectInvoice {
		if inv, err := decode[invoice]("scan invoice", raw); err == nil && inv.Lines.HasMore {
			return signal, nil
		}
	}
	c, err := src.decode(ctx, raw, scan.Until.UTC())
	if fault.Is(err, fault.Malformed) {
		return signal, nil
	}
	return c, err
}

// payments lists the movements of money: PaymentIntents, and then what
// InvoicePayments name besides. What they pay must be read for each.
func (s *scanner) payments(ctx context.Context, scan connector.Scan) (connector.Page, error) {
	paths := []string{intentsPath, invoicePaymentsPath}
	at, err := readCursor(scan, len(paths), "")
	if err != nil {
		return connector.Page{}, err
	}
	data, more, err := s.page(ctx, scan.Feed, paths[at.part], span(scan), at.id)
	if err != nil {
		return connector.Page{}, err
	}
	var out connector.Page
	for _, raw := range data {
		id, err := decode[identity]("scan payment", raw)
		if err != nil {
			return connector.Page{}, err
		}
		at.id = id.ID
		movement := id.ID
		if at.part == 0 {
			p, err := decode[paymentIntent]("scan payment", raw)
			if err != nil {
				return connector.Page{}, err
			}
			if p.Status == "requires_payment_method" && p.LastError == nil {
				continue // nobody has tried to pay yet
			}
		} else {
			p, err := decode[invoicePayment]("scan payment", raw)
			if err != nil {
				return connector.Page{}, err
			}
			if p.Payment.Intent.ID != "" || p.Status != "paid" {
				continue
			}
			movement = orElse(p.Payment.PaymentRecord.ID, p.ID)
		}
		out.Changes = append(out.Changes, s.signal(thing{objectPayment, movement}, scan.Until))
	}
	out.Next = next(at, more, len(paths))
	return out, nil
}
