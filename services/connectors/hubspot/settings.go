package hubspot

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the portal's zone is known on hosts without zone files too

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// Settings are what a user configures for one portal.
type Settings struct {
	// URL is the API's base.
	URL string `yaml:"url"`
	// Token is the static access token of a Service Key, of a project app
	// with static authentication, or of a private app: pat-….
	Token secret.Value `yaml:"token"`
	// ClientID and RefreshToken are the OAuth app's and its grant, in the place
	// of Token. The client secret is the first of ClientSecrets.
	ClientID     string       `yaml:"client_id"`
	RefreshToken secret.Value `yaml:"refresh_token"`
	// Tier decides how many calls HubSpot takes: free, starter, professional or
	// enterprise of the portal, or oauth for an OAuth app. LimitIncreases is
	// how many API limit increases were bought, two at most.
	Tier           string `yaml:"tier"`
	LimitIncreases int    `yaml:"limit_increases"`
	// ClientSecrets are the app's client secrets, which sign the webhooks.
	// While a secret is replaced there are two. None means that webhooks are
	// not accepted.
	ClientSecrets []secret.Value `yaml:"client_secrets"`
	// PortalID is the portal (account) the token must belong to. Events of
	// other portals are left out; 0 means any.
	PortalID int64 `yaml:"portal_id"`
	// AppID, when set, leaves out the events of other apps.
	AppID int64 `yaml:"app_id"`
	// PublicURL is the webhooks' target as it is entered in HubSpot. It is
	// needed only where a Delivery does not say what HubSpot called.
	PublicURL string `yaml:"public_url"`
	// Version is the dated version of the API.
	Version string `yaml:"version"`
	// Currency is the portal's own currency, which prices without one are in.
	// When it is empty HubSpot is asked once.
	Currency string `yaml:"currency"`
	// TimeZone is the portal's, as in "Europe/Berlin". It decides on which
	// day a deal was closed, and thereby in which period it is booked.
	TimeZone string `yaml:"time_zone"`
	// Properties names additional properties to read, by object type. They
	// become the custom fields of the record.
	Properties map[string][]string `yaml:"properties"`
	// CustomObjects are the portal's own types, by the name that flows use. The
	// records of one named machine are of the entity x_machine.
	CustomObjects map[string]CustomObject `yaml:"custom_objects"`
	// Associations are labels of the portal's own, by object type and by a name:
	// flows set them as associated_<name>.
	Associations map[string]map[string]Association `yaml:"associations"`
	// OwnWrites are what notifications of this app's own writes say of their
	// source, as "<changeSource>:<sourceId>". Changes with exactly that source
	// are left out. None drops nothing, which costs reads but is always right.
	OwnWrites []string `yaml:"own_writes"`
	// Journal is set where the portal's changes are read from HubSpot's
	// webhooks journal.
	Journal *JournalSettings `yaml:"journal"`
}

// CustomObject is a type of the portal's own.
type CustomObject struct {
	// Type is its objectTypeId: 2-123.
	Type string `yaml:"type"`
	// NameProperty holds the name of a record.
	NameProperty string `yaml:"name_property"`
	// Properties are read as custom fields.
	Properties []string `yaml:"properties"`
}

// Association is a labelled type of association.
type Association struct {
	// To is the object type at the far end.
	To string `yaml:"to"`
	// TypeID is the label's number, Category USER_DEFINED for one of the
	// portal's own (the default) or HUBSPOT_DEFINED.
	TypeID   int    `yaml:"type_id"`
	Category string `yaml:"category"`
}

// JournalSettings are those of the webhooks journal.
type JournalSettings struct {
	// Version is the dated version of its paths.
	Version string `yaml:"version"`
	// Hosts may serve its files, besides the API's own: a name, or "*." and
	// what a name must end in.
	Hosts []string `yaml:"hosts"`
}

// DefaultSettings are those of any portal but for its credentials.
func DefaultSettings() *Settings {
	return &Settings{URL: DefaultURL, Version: Version, TimeZone: "UTC", Tier: tierProfessional}
}

var versionForm = regexp.MustCompile(`^\d{4}-\d{2}(-beta)?$`)

// minSecret is the shortest client secret that is believed. HubSpot's are
// UUIDs of 36 characters; a short one could be guessed.
const minSecret = 8

// Validate reports every problem at once.
func (s *Settings) Validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !isAddress(s.URL) {
		add("url: want an address such as %s", DefaultURL)
	}
	s.validateCredentials(add)
	if s.PortalID < 0 || s.AppID < 0 {
		add("portal_id, app_id: must not be negative")
	}
	if s.PublicURL != "" && !isAddress(s.PublicURL) {
		add("public_url: want the address that is entered in HubSpot")
	}
	if !versionForm.MatchString(s.Version) {
		add("version: want a dated one such as %s", Version)
	}
	if _, known := tiers[s.Tier]; !known {
		add("tier: want free, starter, professional, enterprise or oauth")
	}
	if s.LimitIncreases < 0 || s.LimitIncreases > maxIncreases {
		add("limit_increases: want 0 to %d", maxIncreases)
	}
	if s.Currency != "" {
		if _, ok := events.MinorUnits(s.Currency); !ok {
			add("currency: %q is no ISO 4217 code", s.Currency)
		}
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		add("time_zone: %q is none; write it as in Europe/Berlin", s.TimeZone)
	}
	s.validateObjects(add)
	for i, v := range s.OwnWrites {
		if from, id, ok := strings.Cut(v, ":"); !ok || from == "" || id == "" {
			add("own_writes[%d]: want <changeSource>:<sourceId>, such as INTEGRATION:123456", i)
		}
	}
	if j := s.Journal; j != nil {
		if j.Version != "" && !versionForm.MatchString(j.Version) {
			add("journal.version: want a dated one such as %s", JournalVersion)
		}
		if s.PortalID == 0 {
			add("portal_id: is required with journal, which holds every portal of the app")
		}
	}
	return errors.Join(problems...)
}

func (s *Settings) validateCredentials(add func(string, ...any)) {
	oauth := !s.RefreshToken.IsZero()
	if s.Token.IsZero() && !oauth {
		add("token: is missing (or client_id and refresh_token of an OAuth app)")
	}
	if !s.Token.IsZero() && oauth {
		add("token, refresh_token: want one of them")
	}
	if (oauth || s.Journal != nil) && (s.ClientID == "" || len(s.ClientSecrets) == 0) {
		add("client_id, client_secrets: are required with refresh_token and with journal")
	}
	for i, v := range s.ClientSecrets {
		// HMAC takes an empty key without complaint, and anybody can sign with it.
		if len(strings.TrimSpace(v.Reveal())) < minSecret {
			add("client_secrets[%d]: is too short for a client secret", i)
		}
	}
}

var (
	customName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,25}$`)
	customType = regexp.MustCompile(`^2-\d{1,18}$`)
)

func (s *Settings) validateObjects(add func(string, ...any)) {
	seen := map[string]string{}
	for name, c := range s.CustomObjects {
		at := "custom_objects." + name
		if _, taken := standard().named(name); taken || !customName.MatchString(name) {
			add("%s: want a name of lower-case letters, digits and _ that is none of HubSpot's own", at)
		}
		if !customType.MatchString(c.Type) {
			add("%s.type: want the objectTypeId, such as 2-123456", at)
		} else if other := seen[c.Type]; other != "" {
			add("%s.type: is that of %s too", at, other)
		}
		seen[c.Type] = name
		for _, p := range append([]string{c.NameProperty}, c.Properties...) {
			if p != "" && !propertyName(p) {
				add("%s: %q is no internal name of a property", at, p)
			}
		}
	}
	kinds := newCatalog(s)
	for object, names := range s.Properties {
		if _, ok := kinds.named(object); !ok || object == lineItem.name {
			add("properties.%s: is no object type that is read", object)
		}
		for i, name := range names {
			if !propertyName(name) {
				add("properties.%s[%d]: %q is no internal name of a property", object, i, name)
			}
		}
	}
	for object, labels := range s.Associations {
		if k, ok := kinds.named(object); !ok || !k.writable() {
			add("associations.%s: is no object type that Spoke writes", object)
		}
		for name, a := range labels {
			at := "associations." + object + "." + name
			if _, ok := kinds.named(a.To); !ok || a.To == lineItem.name || !customName.MatchString(name) || holdsName(kinds, object, name) {
				add("%s: want a name of its own and to: an object type", at)
			}
			if a.TypeID < 1 || (a.Category != "" && a.Category != userDefined && a.Category != hubspotDefined) {
				add("%s: want type_id, and category %s or %s", at, userDefined, hubspotDefined)
			}
		}
	}
}

// holdsName reports whether a label would hide a plain association.
func holdsName(kinds catalog, object, name string) bool {
	k, _ := kinds.named(object)
	return slices.Contains(k.links, name)
}

// custom are the additional properties to read, by object type.
func (s *Settings) custom() map[string][]string {
	all := maps.Clone(s.Properties)
	if all == nil {
		all = map[string][]string{}
	}
	for name, c := range s.CustomObjects {
		all[name] = slices.Concat(c.Properties, all[name])
	}
	return all
}

func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// zone is the portal's time zone; Validate has checked that there is one.
func (s *Settings) zone() *time.Location {
	if z, err := time.LoadLocation(s.TimeZone); err == nil {
		return z
	}
	return time.UTC
}
