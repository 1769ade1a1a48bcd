package quickbooks

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// explain finds out more about a refusal whose code says little.
func (t *target) explain(ctx context.Context, err error, sent body) error {
	f := fault.As(err)
	switch {
	case f.Code == codeClosed:
		t.profiles.forget() // the books were closed a moment ago
		return f.WithField("TxnDate")
	case f.Code != codeBusiness || sent.ref("CustomerRef") == "":
		return err
	}
	customer, readErr := t.client.get(ctx, t.kinds[objectCustomer], sent.ref("CustomerRef"))
	if readErr != nil || customer == nil {
		return err // what was refused first is what counts
	}
	theirs, ours := customer.currency(t.settings.HomeCurrency), sent.currency(t.settings.HomeCurrency)
	if theirs == ours {
		return err
	}
	return f.WithField("CurrencyRef").WithHint(fmt.Sprintf(
		"the customer deals in %s and this is in %s, which QuickBooks never changes: use a second customer for the second currency", theirs, ours))
}

// written refuses texts that a company in the United States can't store. It
// is asked before a write since the answer to one is not documented.
func (t *target) written(op string, b body) error {
	if t.settings.AllCharacters || !t.settings.Tax.USAutomated {
		return nil
	}
	path := beyondLatin("", map[string]any(b))
	if path == "" {
		return nil
	}
	return fault.New(fault.Rejected, Name+": "+op, "a text holds characters beyond ISO 8859-1").WithField(path).
		WithHint("take them out at the source, or set all_characters of the connection where QuickBooks takes them")
}

// beyondLatin returns the path of a text with such a character. Typographic
// punctuation is let through.
func beyondLatin(path string, v any) string {
	switch x := v.(type) {
	case string:
		for _, r := range x {
			if r > 0xff && (r < 0x2000 || r > 0x206f) && r != '\u20ac' && r != '\u2122' {
				return path
			}
		}
	case body:
		return beyondLatin(path, map[string]any(x))
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			at := name
			if path != "" {
				at = path + "." + name
			}
			if found := beyondLatin(at, x[name]); found != "" {
				return found
			}
		}
	case []any:
		for i, e := range x {
			if found := beyondLatin(fmt.Sprintf("%s[%d]", path, i), e); found != "" {
				return found
			}
		}
	}
	return ""
}
