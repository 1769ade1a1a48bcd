package hubspot

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
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
}

// DefaultSettings are those of any portal but for its credentials.
func DefaultSettings() *Settings {
	return &Settings{URL: DefaultURL, Version: Version, TimeZone: "UTC"}
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
	if s.Token.IsZero() {
		add("token: is missing")
	}
	for i, v := range s.ClientSecrets {
		// HMAC takes an empty key without complaint, and anybody can sign with it.
		if len(strings.TrimSpace(v.Reveal())) < minSecret {
			add("client_secrets[%d]: is too short for a client secret", i)
		}
	}
	if s.PortalID < 0 || s.AppID < 0 {
		add("portal_id, app_id: must not be negative")
	}
	if s.PublicURL != "" && !isAddress(s.PublicURL) {
		add("public_url: want the address that is entered in HubSpot")
	}
	if !versionForm.MatchString(s.Version) {
		add("version: want a dated one such as %s", Version)
	}
	if s.Currency != "" {
		if _, ok := events.MinorUnits(s.Currency); !ok {
			add("currency: %q is no ISO 4217 code", s.Currency)
		}
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		add("time_zone: %q is none; write it as in Europe/Berlin", s.TimeZone)
	}
	for object, names := range s.Properties {
		if _, ok := kindNamed(object); !ok || object == lineItem.name {
			add("properties.%s: want company, contact, product or deal", object)
		}
		for i, name := range names {
			if !propertyName(name) {
				add("properties.%s[%d]: %q is no internal name of a property", object, i, name)
			}
		}
	}
	return errors.Join(problems...)
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
