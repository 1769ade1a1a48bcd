package hubspotbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// rule is a portal's own: when one property has a value, another is required.
type rule struct{ object, when, value, required string }

// Require makes a property required while another one has a value, as an
// admin does with conditional logic: Require("deal", "dealstage",
// "closedwon", "closedate"). It holds for the API from 2026-09 on.
func (b *Box) Require(object, when, value, required string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules = append(b.rules, rule{object, when, value, required})
}

// validate checks properties before they are written to a record (nil for a
// new one). The caller holds the lock.
func (b *Box) validate(t *objectType, o *object, props map[string]string, version string) []invalid {
	var all []invalid
	bad := func(name, code, format string, args ...any) {
		all = append(all, invalid{Name: name, Error: code, Message: fmt.Sprintf(format, args...), Portal: b.opts.PortalID})
	}
	for _, name := range sortedKeys(props) {
		value := props[name]
		p, ok := b.property(t, name)
		switch {
		case !ok:
			bad(name, "PROPERTY_DOESNT_EXIST", "Property %q does not exist", name)
		case p.ReadOnly:
			bad(name, "READ_ONLY_VALUE", "%q is a read only property; its value cannot be set.", name)
		case value == "": // clears
		default:
			if code := wrongValue(p, value); code != "" {
				bad(name, code, "%s was not valid.", value)
			}
		}
	}
	after := func(name string) string {
		if v, ok := props[name]; ok {
			return v
		}
		if o != nil {
			return o.Properties[name]
		}
		return ""
	}
	if _, ok := props["dealstage"]; ok && t.name == "deal" {
		pipeline := after("pipeline")
		if pipeline == "" {
			pipeline = "default"
		}
		if _, known := findStage(pipeline, props["dealstage"]); !known {
			bad("dealstage", "INVALID_OPTION", "%s was not one of the allowed options", props["dealstage"])
		}
	}
	if _, ok := props["hs_invoice_status"]; o != nil && ok && t.name == "invoice" && props["hs_invoice_status"] == "open" &&
		(len(b.linkedTo(t, o.ID, "contact")) != 1 || len(b.linkedTo(t, o.ID, "line_item")) == 0) {
		bad("hs_invoice_status", "INVOICE_NOT_READY", "an open invoice needs one contact and a line item")
	}
	if t.name == "invoice" && after("hs_currency") == "" {
		bad("hs_currency", "MISSING_REQUIRED_PROPERTY", "hs_currency is required")
	}
	if version == enforcing {
		for _, r := range b.rules {
			if r.object == t.name && after(r.when) == r.value && after(r.required) == "" {
				bad(r.required, "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
					"%s is required because of a conditional property rule based on [%s]", r.required, r.when)
			}
		}
	}
	return all
}

// wrongValue returns HubSpot's code for a value that its property refuses.
func wrongValue(p property, value string) string {
	switch p.Type {
	case typeNumber:
		if _, err := events.ParseDecimal(value); err != nil {
			return "INVALID_DOUBLE"
		}
	case typeDate, typeDateTime:
		if _, err := parseTime(value); err != nil {
			return "INVALID_DATE"
		}
	case typeEnum:
		if len(p.Options) > 0 && !slices.ContainsFunc(p.Options, func(o option) bool { return o.Value == value }) {
			return "INVALID_OPTION"
		}
	case typeBool:
		if value != "true" && value != "false" {
			return "INVALID_OPTION"
		}
	}
	if p.Name == "email" && !strings.Contains(value, "@") {
		return "INVALID_EMAIL"
	}
	return ""
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms).UTC(), err
}

// stamp is a time as HubSpot writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// normal is the form in which a value is kept.
func normal(p property, value string) string {
	if p.Type == typeDateTime {
		if t, err := parseTime(value); err == nil && value != "" {
			return stamp(t)
		}
	}
	return value
}
