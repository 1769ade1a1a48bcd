// Package hubspotbox is a HubSpot portal that runs in memory: companies,
// contacts, deals, products and line items with their associations, deal
// pipelines and property definitions, behind the dated paths of the CRM API,
// with HubSpot's checks, limits and error bodies, and signed webhooks for what
// changes. It shares no code with the connector, so that it catches the
// connector's mistakes. It knows no users, no OAuth and no custom objects.
package hubspotbox

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// Options configure a Box. Zero values give a portal that takes the
// credentials below and sends no webhooks.
type Options struct {
	Log *slog.Logger // nil discards

	// The portal and its app; see the Default constants.
	Token        string
	ClientSecret string
	PortalID     int64
	AppID        int64

	// WebhookURL gets the notifications; empty sends none.
	WebhookURL string
	// Generic sends object.* notifications with type ids instead of the older
	// contact.*, company.*, deal.*.
	Generic bool
	// Gather is how long notifications are gathered into one delivery; 20 ms
	// when 0.
	Gather time.Duration

	// PerTenSeconds is how many calls any ten seconds may have, 190 when 0;
	// a negative number allows any. PerDay is the same for a day, 625,000
	// when 0.
	PerTenSeconds int
	PerDay        int

	// Currency is the portal's own; USD when empty. TimeZone is its zone; UTC
	// when empty.
	Currency string
	TimeZone string

	// NameBadInputs lets a batch update answer 207 and name each bad input.
	// Without it one bad input fails the whole batch, but for records that do
	// not exist, which are always named.
	NameBadInputs bool

	// MergeMakesNew gives what two records are merged into an id of its own.
	MergeMakesNew bool
	// IndexLag is how long searches do not see a change.
	IndexLag time.Duration
	// ClientID and RefreshToken are the app's for OAuth; access tokens live for
	// TokenLife, 1800 s when 0.
	ClientID     string
	RefreshToken string
	TokenLife    time.Duration
	// Scopes are what the static token may do; nil is everything. Only writing
	// properties ("crm.schemas.deals.write") looks at them.
	Scopes []string

	// StateFile keeps the portal over a restart; empty keeps nothing.
	StateFile string
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// The credentials of a Box that is given none.
const (
	DefaultToken        = "pat-na1-00000000-box"
	DefaultClientSecret = "7c1f0a52-5f0e-4c8b-9b1d-hubspot-box0" //nolint:gosec // a sandbox's
	DefaultClientID     = "9b1f0a52-0000-4000-8000-hubspot-boxid"
	DefaultRefreshToken = "na1-00000000-refresh-hubspot-box"
	DefaultPortalID     = 48012345
	DefaultAppID        = 3344556
)

const (
	defaultGather  = 20 * time.Millisecond
	defaultPerTen  = 190
	defaultPerDay  = 625_000
	searchesPerSec = 5

	defaultTokenLife = 30 * time.Minute
)

// Box is a running portal. It is an http.Handler.
type Box struct {
	*sandbox.Server
	opts   Options
	types  []*objectType
	pairs  []pair
	hook   *sandbox.Hook
	limits limits

	mu       sync.Mutex
	state    state
	rules    []rule
	pending  []notification
	timer    *time.Timer
	closed   bool
	requests int                  // for correlation ids
	tokens   map[string]time.Time // access tokens that were given out, with their end
	grants   int
	revoked  bool
	quiet    bool // nothing goes into the journal
	sealed   bool // the newest journal entry was handed out
}

// New opens a portal. It fails only on an unreadable state file.
func New(opts Options) (*Box, error) {
	opts = withDefaults(opts)
	b := &Box{opts: opts, types: objectTypes(), pairs: pairs(), limits: limits{perTen: opts.PerTenSeconds, perDay: opts.PerDay}}
	var err error
	if b.state, err = load(opts.StateFile); err != nil {
		return nil, fmt.Errorf("hubspotbox: state file: %w", err)
	}
	for _, s := range b.state.Schemas {
		b.addType(s)
	}
	b.state.rebuild(b)
	b.hook = sandbox.NewHook(opts.WebhookURL, opts.Log, b.sign)
	b.Server = sandbox.New("hubspot", opts.Log, b.refuse)
	b.Dump(b.dump)
	b.routes()
	return b, nil
}

func withDefaults(o Options) Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for at, v := range map[*string]string{
		&o.Token: DefaultToken, &o.ClientSecret: DefaultClientSecret, &o.ClientID: DefaultClientID,
		&o.RefreshToken: DefaultRefreshToken, &o.Currency: "USD", &o.TimeZone: "UTC",
	} {
		if *at == "" {
			*at = v
		}
	}
	if o.PortalID == 0 {
		o.PortalID = DefaultPortalID
	}
	if o.AppID == 0 {
		o.AppID = DefaultAppID
	}
	if o.Gather == 0 {
		o.Gather = defaultGather
	}
	if o.PerTenSeconds == 0 {
		o.PerTenSeconds = defaultPerTen
	}
	if o.PerDay == 0 {
		o.PerDay = defaultPerDay
	}
	if o.TokenLife == 0 {
		o.TokenLife = defaultTokenLife
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Close stops the webhooks; those that were not accepted are dropped.
func (b *Box) Close() {
	b.mu.Lock()
	b.closed = true
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	b.hook.Close()
}

// routes serves each type under its names: deals, deal and 0-3.
func (b *Box) routes() {
	for _, t := range b.types {
		b.typeRoutes(t)
	}
	associations := "/crm/associations/{version}/{from}/{to}/"
	b.api("associations batch read", "POST "+associations+"batch/read", b.readAssociations)
	b.api("associations batch default", "POST "+associations+"batch/associate/default", b.createAssociations)
	b.api("associations batch create", "POST "+associations+"batch/create", b.createLabelled)
	b.api("associations batch archive", "POST "+associations+"batch/archive", b.archiveAssociations)
	b.api("association labels", "GET "+associations+"labels", b.listLabels)
	pair := "/crm/objects/{version}/{from}/{id}/associations/"
	b.api("association default", "PUT "+pair+"default/{to}/{toID}", b.associateDefault)
	b.api("association set", "PUT "+pair+"{to}/{toID}", b.associateLabeled)
	b.api("association archive", "DELETE "+pair+"{to}/{toID}", b.dissociate)
	b.api("account info", "GET /account-info/{version}/details", b.serveAccount)
	b.api("schema list", "GET /crm-object-schemas/{version}/schemas", b.listSchemas)
	b.api("schema create", "POST /crm-object-schemas/{version}/schemas", b.createSchema)
	b.api("schema get", "GET /crm-object-schemas/{version}/schemas/{name}", b.getSchema)
	b.Handle("token", "POST /oauth/{version}/token", b.serveToken)
	b.journalRoutes()
	b.Control("POST /_sandbox/bulk", b.controlBulk)
	b.Handle("unknown", "/", notFoundPage)
}

// typeRoutes serves one type under each of its names.
func (b *Box) typeRoutes(t *objectType) {
	names := []string{t.plural, t.name, t.typeID}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		b.objectRoutes(t, "/crm/objects/{version}/"+name)
		properties := "/crm/properties/{version}/" + name
		b.api("properties list", "GET "+properties, b.bind(t, b.listProperties))
		b.api("property create", "POST "+properties, b.bind(t, b.createProperty))
		b.api("property get", "GET "+properties+"/{name}", b.bind(t, b.getProperty))
		b.api("property group list", "GET "+properties+"/groups", b.bind(t, b.listGroups))
		b.api("property group create", "POST "+properties+"/groups", b.bind(t, b.createGroup))
		b.api("pipelines", "GET /crm/pipelines/{version}/"+name, b.bind(t, b.listPipelines))
	}
}

func (b *Box) objectRoutes(t *objectType, root string) {
	on := func(op, pattern string, h func(*objectType, http.ResponseWriter, *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		b.api(t.plural+" "+op, method+" "+root+path, b.bind(t, h))
	}
	on("list", "GET ", b.list)
	on("create", "POST ", b.create)
	on("get", "GET /{id}", b.get)
	on("update", "PATCH /{id}", b.update)
	on("archive", "DELETE /{id}", b.archive)
	on("search", "POST /search", b.search)
	on("merge", "POST /merge", b.merge)
	if t.name == "contact" {
		on("gdpr-delete", "POST /gdpr-delete", b.gdprDelete)
	}
	on("batch read", "POST /batch/read", b.batchRead)
	on("batch create", "POST /batch/create", b.batchCreate)
	on("batch update", "POST /batch/update", b.batchUpdate)
	on("batch upsert", "POST /batch/upsert", b.batchUpsert)
	on("batch archive", "POST /batch/archive", b.batchArchive)
}

// api serves one operation behind authentication and limits.
func (b *Box) api(op, pattern string, h http.HandlerFunc) {
	search := strings.HasSuffix(op, " search")
	b.Handle(op, pattern, func(w http.ResponseWriter, r *http.Request) {
		if v := r.PathValue("version"); v != "2026-03" && v != enforcing {
			notFoundPage(w, r)
			return
		}
		if !b.mayCall(r) {
			b.unauthorized(w)
			return
		}
		if !b.admit(w, search) {
			return
		}
		h(w, r)
	})
}

// enforcing is the version from which on a portal's own rules hold for the
// API too.
const enforcing = "2026-09"

func (b *Box) bind(t *objectType, h func(*objectType, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h(t, w, r) }
}

func (b *Box) serveAccount(w http.ResponseWriter, _ *http.Request) {
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"portalId": b.opts.PortalID, "accountType": "DEVELOPER_TEST", "timeZone": b.opts.TimeZone,
		"companyCurrency": b.opts.Currency, "additionalCurrencies": []string{}, "utcOffset": "+00:00",
		"utcOffsetMilliseconds": 0, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
	})
}

// correlationID is a fresh one in the form of HubSpot's.
func (b *Box) correlationID() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	n := strconv.FormatInt(int64(b.requests), 16)
	return "00000000-0000-4000-8000-" + strings.Repeat("0", 12-len(n)) + n
}
