package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// TestWhatIsAlike: the ways in which a system writes what it was sent, and the
// edits that look a bit like them.
func TestWhatIsAlike(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a long text ", 5)
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	for name, tc := range map[string]struct {
		entity      events.Entity
		field       string
		sent, seen  string
		alike, same bool
	}{
		"equal":              {events.EntityCompany, "name", `"Acme"`, `"Acme"`, true, true},
		"empty":              {events.EntityCompany, "name", `""`, `null`, true, false},
		"case and spaces":    {events.EntityCompany, "name", `" Acme  Inc"`, `"ACME INC"`, true, false},
		"longer":             {events.EntityCompany, "name", `"Acme"`, `"Acme Inc"`, false, false},
		"shorter":            {events.EntityCompany, "name", `"Acme Inc"`, `"Acme"`, false, false},
		"cleared":            {events.EntityCompany, "name", `"Acme"`, `null`, false, false},
		"cut":                {events.EntityInvoice, "memo", quoted(long), quoted(long[:40]), true, false},
		"not the beginning":  {events.EntityInvoice, "memo", quoted(long), quoted(long[1:41]), false, false},
		"grown":              {events.EntityInvoice, "memo", quoted(long[:40]), quoted(long), false, false},
		"country":            {events.EntityCompany, "country", `"United States"`, `"US"`, true, false},
		"another country":    {events.EntityCompany, "country", `"United States"`, `"CA"`, false, false},
		"no country":         {events.EntityCompany, "country", `"Atlantis"`, `"AT"`, false, false},
		"state":              {events.EntityCompany, "state", `"California"`, `"CA"`, true, false},
		"another state":      {events.EntityCompany, "state", `"California"`, `"CO"`, false, false},
		"phone":              {events.EntityCompany, "phone", `"+1 (555) 01-00"`, `"15550100"`, true, false},
		"another phone":      {events.EntityCompany, "phone", `"+1 555 0100"`, `"+1 555 0101"`, false, false},
		"domain":             {events.EntityCompany, "domain", `"https://www.acme.example/"`, `"acme.example"`, true, false},
		"rounded":            {events.EntityProduct, "price", `{"amount":"1.005","currency":"EUR"}`, `{"amount":"1.01","currency":"EUR"}`, true, false},
		"digits":             {events.EntityProduct, "price", `{"amount":"1.50","currency":"EUR"}`, `{"amount":"1.5","currency":"EUR"}`, true, true},
		"another price":      {events.EntityProduct, "price", `{"amount":"0.0125","currency":"EUR"}`, `{"amount":"0.0130","currency":"EUR"}`, false, false},
		"another amount":     {events.EntityProduct, "price", `{"amount":"1.50","currency":"EUR"}`, `{"amount":"1.51","currency":"EUR"}`, false, false},
		"another currency":   {events.EntityProduct, "price", `{"amount":"150","currency":"EUR"}`, `{"amount":"150","currency":"USD"}`, false, false},
		"yen":                {events.EntityProduct, "price", `{"amount":"150.4","currency":"JPY"}`, `{"amount":"150","currency":"JPY"}`, true, false},
		"date":               {events.EntityInvoice, "dueOn", `"2026-11-23"`, `"2026-11-24"`, false, false},
		"flag":               {events.EntityProduct, "active", `true`, `false`, false, false},
		"resolved":           {events.EntityContact, "company", `{"connection":"erp","object":"customer","id":"1"}`, `{"record":"company/9","connection":"erp","object":"customer","id":"1"}`, true, true},
		"another link":       {events.EntityContact, "company", `{"connection":"erp","object":"customer","id":"1"}`, `{"record":"company/8","connection":"erp","object":"customer","id":"2"}`, false, false},
		"of the same record": {events.EntityContact, "company", `{"record":"company/9","connection":"hubspot","object":"company","id":"9"}`, `{"record":"company/9","connection":"erp","object":"customer","id":"1"}`, true, false},
		"custom text":        {events.EntityCompany, "custom.tier", `"Gold"`, `"GOLD"`, true, false},
		"custom list":        {events.EntityCompany, "custom.tags", `["a","b"]`, `["b","a"]`, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.alike, hub.Holds(tc.entity, tc.field, events.Seen{Value: []byte(tc.sent), Sent: true}, []byte(tc.seen)), "sent")
			require.Equal(t, tc.same, hub.Holds(tc.entity, tc.field, events.Seen{Value: []byte(tc.sent)}, []byte(tc.seen)), "seen")
		})
	}
}
