package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// reader reads records into snapshots.
type reader struct {
	api        *api
	connection string
	portal     portal
	kinds      catalog
	custom     map[string][]string
	money      *monies
	stages     *stages
}

func newReader(connection string, s *Settings, a *api, p portal) *reader {
	return &reader{
		api: a, connection: connection, portal: p, kinds: newCatalog(s), custom: s.custom(),
		money: &monies{api: a, home: s.Currency}, stages: &stages{api: a},
	}
}

// BatchSize is HubSpot's limit of one batch read.
func (*reader) BatchSize() int { return objectBatch }

// Read returns snapshots. A single record takes one call, a deal with lines
// two. Line items are answered by snapshots of the deals they belong to; one
// that belongs to none (any more) gives nothing.
func (r *reader) Read(ctx context.Context, object string, ids []string) ([]events.Change, error) {
	op := "hubspot: read " + object
	k, ok := r.kinds.named(object)
	if !ok {
		return nil, fault.New(fault.Rejected, op, "there is no such object type").WithCode("UNKNOWN_OBJECT")
	}
	ids = slices.Compact(slices.SortedFunc(slices.Values(ids), byID))
	for _, id := range ids {
		if !validID(id) {
			return nil, fault.New(fault.Rejected, op, "an id is no HubSpot record id").WithCode("INVALID_ID")
		}
	}
	if k.name == lineItem.name {
		return r.parents(ctx, ids)
	}
	return r.read(ctx, k, ids)
}

// read returns snapshots of any number of records.
func (r *reader) read(ctx context.Context, k kind, ids []string) ([]events.Change, error) {
	var all []events.Change
	for chunk := range slices.Chunk(ids, objectBatch) {
		changes, err := r.chunk(ctx, k, chunk)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// parents reads what line items belong to. A line item has one parent, so that
// each further kind is asked only for those that have found none.
func (r *reader) parents(ctx context.Context, ids []string) ([]events.Change, error) {
	var all []events.Change
	for _, k := range r.kinds.holders(lineItem) {
		if len(ids) == 0 {
			break
		}
		found, err := r.api.linked(ctx, lineItem, k, ids)
		if err != nil {
			if k.name != deal.name && missingScope(err) {
				continue // what the token may not see is not used
			}
			return nil, err
		}
		var parents []string
		for _, ends := range found {
			for _, e := range ends {
				parents = append(parents, e.id)
			}
		}
		slices.SortFunc(parents, byID)
		changes, err := r.read(ctx, k, slices.Compact(parents))
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
		ids = slices.DeleteFunc(ids, func(id string) bool { return len(found[id]) > 0 })
	}
	return all, nil
}

// chunk reads up to 100 records of one kind.
func (r *reader) chunk(ctx context.Context, k kind, ids []string) ([]events.Change, error) {
	var s source
	var err error
	if len(ids) == 1 {
		s, err = r.one(ctx, k, ids[0])
	} else {
		s, err = r.many(ctx, k, ids)
	}
	if err != nil {
		return nil, err
	}
	if err := r.complete(ctx, k, &s); err != nil {
		return nil, err
	}
	changes := s.gone
	for _, rec := range s.records {
		c, err := r.snapshot(ctx, k, rec, s)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// source is what was read of some records of one kind, before it is put
// together.
type source struct {
	records []record
	gone    []events.Change
	// links are the associated records, by the other kind's name and then by
	// the id on this side.
	links map[string]map[string][]end
	lines map[string]record
}

// one reads a single record together with its associations, in one call.
func (r *reader) one(ctx context.Context, k kind, id string) (source, error) {
	q := url.Values{"properties": {strings.Join(r.names(k), ",")}}
	var ends []string
	for _, o := range r.kinds.linked(k) {
		ends = append(ends, o.plural)
	}
	if len(ends) > 0 {
		q.Set("associations", strings.Join(ends, ","))
	}
	var rec record
	op := "read " + k.name
	err := r.api.do(ctx, call{op: op, method: http.MethodGet, path: r.api.objects(k, "/"+id), query: q, out: &rec})
	switch {
	case isNotFound(err):
		gone, err := r.gone(ctx, k, []string{id})
		return source{gone: gone}, err
	case err != nil:
		return source{}, err
	case !validID(rec.ID) || rec.Properties == nil:
		return source{}, garbled("hubspot: "+op, http.StatusOK)
	}
	s := source{records: []record{rec}, links: map[string]map[string][]end{}}
	if rec.ID != id {
		// The record was merged into another one, which HubSpot answers in its
		// place.
		at, err := modified(k, rec)
		if err != nil {
			return source{}, err
		}
		merged := said{r.connection, at}.change(k, id, events.OpMerged)
		merged.Into = rec.ID
		s.gone = []events.Change{merged}
	}
	for _, o := range r.kinds.linked(k) {
		ends, complete := inline(k, o, rec)
		if !complete {
			all, err := r.api.linked(ctx, k, o, []string{rec.ID})
			if err != nil {
				return source{}, err
			}
			ends = all[rec.ID]
		}
		s.links[o.name] = map[string][]end{rec.ID: ends}
	}
	return s, nil
}

// many reads records in one batch, and their associations at the same time
// in one call per kind.
func (r *reader) many(ctx context.Context, k kind, ids []string) (source, error) {
	ends := r.kinds.linked(k)
	found := make([]map[string][]end, len(ends))
	var live map[string]record
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		live, err = r.api.read(gctx, k, ids, r.names(k), false)
		return err
	})
	for i, o := range ends {
		g.Go(func() (err error) {
			found[i], err = r.api.linked(gctx, k, o, ids)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return source{}, err
	}
	s := source{links: map[string]map[string][]end{}}
	for i, o := range ends {
		s.links[o.name] = found[i]
	}
	var missing []string
	for _, id := range ids {
		if rec, ok := live[id]; ok {
			s.records = append(s.records, rec)
			continue
		}
		missing = append(missing, id)
	}
	var err error
	s.gone, err = r.gone(ctx, k, missing)
	return s, err
}

// names are the properties to read.
func (r *reader) names(k kind) []string {
	return slices.Concat(k.properties, []string{k.modified, keyProperty}, r.custom[k.name])
}

// failed returns the first error of a batch of reads that is not about a
// missing record. Such an error leaves records out for another reason, and
// they must not pass for missing.
func (b batch[T]) failed(op string) error {
	for _, p := range b.Errors {
		if p.Category != categoryNotFound && !strings.HasSuffix(p.code(), codeNoAssociation) {
			e := p.fault(op, http.StatusMultiStatus)
			e.Kind, e.Hint = fault.Transient, ""
			return e
		}
	}
	return nil
}

// isNotFound reports HubSpot's own "not found".
func isNotFound(err error) bool {
	return err != nil && fault.As(err).Code == categoryNotFound && fault.Is(err, fault.Rejected)
}
