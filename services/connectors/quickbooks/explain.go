package quickbooks

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// putCurrency puts a currency other than the company's, with its rate where
// the document tells one.
func (t *target) putCurrency(f fields, b body, currency string) {
	rate, hasRate := f.decimal("ExchangeRate")
	if hasRate && rate.Sign() <= 0 {
		f.fail("ExchangeRate", "a rate is more than nothing")
	}
	if currency == t.settings.HomeCurrency {
		return // its rate is 1, whatever is said
	}
	b["CurrencyRef"] = reference(currency)
	if hasRate {
		b["ExchangeRate"] = number(rate)
	}
}

// explain adds to a refusal of a write what QuickBooks leaves to guess.
func (t *target) explain(ctx context.Context, k *kind, want body, err error) error {
	if err == nil {
		return nil
	}
	switch e := fault.As(err); {
	case e.Code == codeClosed && e.Field == "":
		return e.WithField("TxnDate")
	case e.Code == codeBusiness && k.transaction():
		return t.otherCurrency(ctx, want, e)
	}
	return err
}

// otherCurrency tells whether a transaction was refused because a customer has
// one currency for ever. It costs a read, which only a refused write makes.
func (t *target) otherCurrency(ctx context.Context, want body, e *fault.Error) error {
	id := want.ref("CustomerRef")
	if id == "" {
		return e
	}
	customer, err := t.client.get(ctx, t.kinds[objectCustomer], id)
	if err != nil || customer == nil {
		return e // the refusal says more than the failed read
	}
	has, wants := customer.currency(t.settings.HomeCurrency), want.currency(t.settings.HomeCurrency)
	if has == wants {
		return e
	}
	return e.WithField("CurrencyRef").WithHint(fmt.Sprintf(
		"the customer deals in %s and this is in %s, which QuickBooks never changes: use a second customer for the second currency", has, wants))
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

// checkCountry compares the company with the settings of tax: with the wrong
// ones every invoice would be refused, or taxed wrongly.
func (t *target) checkCountry(info body) error {
	country := info.text("Country")
	if country == "" || (country == "US" || country == "USA") == t.settings.Tax.USAutomated {
		return nil
	}
	return fault.New(fault.Rejected, Name+": check company", "the company is in %s, tax.us_automated is %t", country, t.settings.Tax.USAutomated).
		WithField("tax.us_automated").WithHint("set it to true for companies in the United States only, and tax.default_tax_code elsewhere")
}
