// Package netsuitebox is a NetSuite account for tests and demos: the record
// services for a few types, SuiteQL for the questions that Spoke asks, OAuth
// 2.0 client credentials and token-based authentication, the limit of calls
// at once, and NetSuite's own error bodies. It behaves as the strict vendor
// does where that catches mistakes (sublists that double, references that do
// not exist, fields dropped in silence). It shares no code with the connector.
package netsuitebox

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// Options of a Box. The zero value is useful.
type Options struct {
	Log *slog.Logger
	// Account is the account id; 1234567_SB1 when empty.
	Account string
	// StateFile keeps the records over a restart; empty keeps them in memory.
	StateFile string
	// Slots is how many calls may be in flight; 5 when 0, as in the smallest
	// accounts.
	Slots int
	// OneWorld makes the subsidiary of a customer mandatory.
	OneWorld bool
	// CustomFields are the script ids of the account's custom fields.
	CustomFields []string
	// Currencies are ISO codes; their internal ids are 1, 2, …. USD, EUR and
	// GBP when empty. The first is the base currency.
	Currencies []string
	// CustomRecords are the account's custom record types: their fields, each
	// with the type that it refers to or "".
	CustomRecords map[string]map[string]string
	// SuiteTax is set for an account that has the feature: transactions have tax
	// details, items no tax schedule.
	SuiteTax bool
	// Zone is the account's time zone, in which SuiteQL reads and writes dates;
	// UTC when nil.
	Zone *time.Location
	// JobPolls is how often an asynchronous job is asked for before it runs.
	JobPolls int
	// TokenLife is how long an access token lasts; an hour when 0.
	TokenLife time.Duration
	// Now is the account's clock; time.Now when nil.
	Now func() time.Time
}

// Box is one account.
type Box struct {
	*sandbox.Server
	opts    Options
	schemas map[string]schema
	file    *store

	mu     sync.Mutex
	state  state
	closed string // transactions before this day are in a closed period
	auth   auth
	jobs   []*job
	busy   int // calls in flight
	peak   int
}

const (
	defaultAccount = "1234567_SB1"
	defaultSlots   = 5
	tokenLife      = time.Hour // as NetSuite has it
)

// New opens an account. It fails when the StateFile can't be read.
func New(opts Options) (*Box, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Account == "" {
		opts.Account = defaultAccount
	}
	if opts.Slots == 0 {
		opts.Slots = defaultSlots
	}
	if len(opts.Currencies) == 0 {
		opts.Currencies = []string{"USD", "EUR", "GBP"}
	}
	if opts.TokenLife == 0 {
		opts.TokenLife = tokenLife
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	b := &Box{opts: opts, auth: newAuth(), file: &store{path: opts.StateFile}}
	b.schemas = b.recordTypes()
	var err error
	if b.state, err = b.file.load(); err != nil {
		return nil, err
	}
	b.Server = sandbox.New("netsuite", opts.Log, refuse)
	b.Dump(b.dump)
	b.routes()
	return b, nil
}

// Close ends the account. The state is on disk already.
func (b *Box) Close() {}

const restRoot = "/services/rest"

func (b *Box) routes() {
	b.Handle("token", "POST "+tokenPath, b.serveToken)
	b.Handle("server time", "GET "+restRoot+"/system/v1/serverTime", b.guard(b.serveTime))
	b.Handle("suiteql", "POST "+restRoot+"/query/v1/suiteql", b.guard(b.serveQuery))
	b.Handle("job", "GET "+jobPath+"{id}", b.guard(b.serveJob))
	b.Handle("job tasks", "GET "+jobPath+"{id}/task", b.guard(b.serveTasks))
	b.Handle("job result", "GET "+jobPath+"{id}/task/{task}/result", b.guard(b.serveResult))
	b.Handle("metadata", "GET "+restRoot+"/record/v1/metadata-catalog/{type}", b.guard(b.serveMetadata))
	for _, name := range slices.Sorted(maps.Keys(b.schemas)) {
		root := restRoot + "/record/v1/" + name
		b.Handle("create "+name, "POST "+root, b.guard(b.record(name, b.create)))
		b.Handle("list "+name, "GET "+root, b.guard(b.record(name, b.list)))
		b.Handle("get "+name, "GET "+root+"/{id}", b.guard(b.record(name, b.get)))
		b.Handle("patch "+name, "PATCH "+root+"/{id}", b.guard(b.record(name, b.patch)))
		b.Handle("upsert "+name, "PUT "+root+"/{id}", b.guard(b.record(name, b.upsert)))
		b.Handle("delete "+name, "DELETE "+root+"/{id}", b.guard(b.record(name, b.remove)))
	}
	for _, pair := range transforms() {
		b.Handle("transform "+pair[0]+" to "+pair[1], "POST "+restRoot+"/record/v1/"+pair[0]+"/{id}/!transform/"+pair[1],
			b.guard(b.record(pair[0], b.transform(pair[1]))))
	}
	b.Handle("unknown", restRoot+"/", b.guard(func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, problem{Code: "NOT_FOUND", Detail: "The requested resource does not exist.", URL: r.URL.Path})
	}))
	b.Control("GET /app/", b.servePage)
}

// ServeHTTP serves the account's calls while slots are free. Every answer has
// the account's time.
func (b *Box) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", b.opts.Now().UTC().Format(http.TimeFormat))
	if limited(r.URL.Path) {
		if !b.enter() {
			fail(w, http.StatusTooManyRequests, problem{Top: "USER_ERROR", Code: "CONCURRENCY_LIMIT_EXCEEDED", Detail: "Concurrent request limit exceeded. Request blocked."})
			return
		}
		defer b.leave()
	}
	b.Server.ServeHTTP(w, r)
}

func (b *Box) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy >= b.opts.Slots {
		return false
	}
	b.busy++
	b.peak = max(b.peak, b.busy)
	return true
}

func (b *Box) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy--
}

// SetSlots changes how many calls may be in flight.
func (b *Box) SetSlots(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts.Slots = n
}

// Peak is how many calls were in flight at once, at most.
func (b *Box) Peak() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peak
}

// guard lets only authenticated calls through.
func (b *Box) guard(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !b.authentic(r) {
			denied(w)
			return
		}
		h(w, r)
	}
}

// serveMetadata describes a record type, as far as callers ask: which
// properties it has.
func (b *Box) serveMetadata(w http.ResponseWriter, r *http.Request) {
	s, ok := b.schemas[r.PathValue("type")]
	if !ok || r.Header.Get("Accept") != "application/schema+json" {
		fail(w, http.StatusNotFound, problem{Code: "NONEXISTENT_ID", URL: r.URL.Path, Detail: "There is no such record type, or no such description of it."})
		return
	}
	properties := map[string]any{}
	for name := range s {
		properties[name] = map[string]any{"title": name}
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{"type": "object", "properties": properties})
}

func (b *Box) serveTime(w http.ResponseWriter, _ *http.Request) {
	sandbox.JSON(w, http.StatusOK, map[string]string{"serverTime": b.opts.Now().UTC().Format(time.RFC3339)})
}
