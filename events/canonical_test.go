package events_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
)

func object(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	return m
}

func asText(f events.Fields) map[string]string {
	m := make(map[string]string, len(f))
	for k, v := range f {
		m[k] = string(v)
	}
	return m
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		entity events.Entity
		in     string
		want   map[string]string
	}{
		"nothing":      {events.EntityCompany, `{}`, map[string]string{}},
		"text":         {events.EntityCompany, `{"name":"Acme"}`, map[string]string{"name": `"Acme"`}},
		"escapes":      {events.EntityCompany, `{"name":"A\u0026B <Söhne>\/"}`, map[string]string{"name": `"A\u0026B \u003cSöhne\u003e/"`}},
		"empty text":   {events.EntityCompany, `{"name":""}`, map[string]string{"name": `null`}},
		"cleared":      {events.EntityDeal, `{"name":null,"amount": null ,"company":null,"lines":null,"closeDate":null,"won":null}`, map[string]string{"name": "null", "amount": "null", "company": "null", "lines": "null", "closeDate": "null", "won": "null"}},
		"bool":         {events.EntityDeal, `{"won":true,"lost":false}`, map[string]string{"won": "true", "lost": "false"}},
		"money":        {events.EntityDeal, `{"amount":{"amount":"12.30","currency":"eur"}}`, map[string]string{"amount": `{"amount":"12.30","currency":"EUR"}`}},
		"money number": {events.EntityDeal, `{"amount":{"currency":"JPY","amount":12.30e1}}`, map[string]string{"amount": `{"amount":"123.0","currency":"JPY"}`}},
		"money zero":   {events.EntityDeal, `{"amount":{"amount":-0,"currency":"USD"}}`, map[string]string{"amount": `{"amount":"0","currency":"USD"}`}},
		"many digits":  {events.EntityDeal, `{"amount":{"amount":12345678901234567890.123456789,"currency":"USD"}}`, map[string]string{"amount": `{"amount":"12345678901234567890.123456789","currency":"USD"}`}},
		"date":         {events.EntityDeal, `{"closeDate":"2028-02-29"}`, map[string]string{"closeDate": `"2028-02-29"`}},
		"record link":  {events.EntityDeal, `{"company":{"record":"company/9"}}`, map[string]string{"company": `{"record":"company/9"}`}},
		"object link":  {events.EntityDeal, `{"company":{"id":"42","object":"customer"}}`, map[string]string{"company": `{"object":"customer","id":"42"}`}},
		"foreign link": {events.EntityDeal, `{"company":{"record":null,"connection":"stripe","object":"customer","id":"cus_1"}}`, map[string]string{"company": `{"connection":"stripe","object":"customer","id":"cus_1"}`}},
		"lines": {
			events.EntityOrder,
			`{"lines":[{"price":{"amount":1.50,"currency":"usd"},"quantity":2,"sku":"X","id":"1","name":"","product":{"record":"product/5"},"amount":null},{}]}`,
			map[string]string{"lines": `[{"id":"1","product":{"record":"product/5"},"sku":"X","quantity":"2","price":{"amount":"1.50","currency":"USD"}},{}]`},
		},
		"no lines": {events.EntityOrder, `{"lines":[]}`, map[string]string{"lines": `[]`}},
		"custom": {
			events.EntityOrder,
			`{"custom":{"vip":true,"score":1.50,"note":"","gone":null,"Tags_2":["b","a"],"deep":{"z":1,"a":{"b":2}}}}`,
			map[string]string{
				"custom.vip": "true", "custom.score": "1.50", "custom.note": "null", "custom.gone": "null",
				"custom.Tags_2": `["b","a"]`, "custom.deep": `{"a":{"b":2},"z":1}`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := events.Canonical(tc.entity, object(t, tc.in))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(tc.want, asText(got)))
		})
	}
}

func TestCanonicalRefuses(t *testing.T) {
	t.Parallel()
	const money = `write {"amount": "12.30", "currency": "EUR"}`
	for in, want := range map[string]string{
		`{"stahge":"won"}`:                            `stahge: is no field of deal; did you mean stage? Anything else belongs under "custom"`,
		`{"close_date":"2026-01-01"}`:                 `close_date: is no field of deal; did you mean closeDate? Anything else belongs under "custom"`,
		`{"dealName":"x"}`:                            `dealName: is no field of deal; did you mean name? Anything else belongs under "custom"`,
		`{"favouriteColour":"red"}`:                   `favouriteColour: is no field of deal; put what Spoke has no field for under "custom"`,
		`{"custom.vip":true}`:                         `"custom.vip": is no field of deal; put what Spoke has no field for under "custom"`,
		`{"":1}`:                                      `"": is no field of deal; put what Spoke has no field for under "custom"`,
		`{"name":7}`:                                  `name: is no string; write it in quotes, or null to clear it`,
		`{"won":"true"}`:                              `won: is no bool; write true or false without quotes`,
		`{"won":1}`:                                   `won: is no bool; write true or false without quotes`,
		`{"amount":12.30}`:                            `amount: is no amount of money; ` + money,
		`{"amount":"12.30 EUR"}`:                      `amount: is no amount of money; ` + money,
		`{"amount":{}}`:                               "amount.amount: is missing; " + money + "\namount.currency: is missing; " + money,
		`{"amount":{"amount":"1"}}`:                   `amount.currency: is missing; ` + money,
		`{"amount":{"currency":"EUR"}}`:               `amount.amount: is missing; ` + money,
		`{"closeDate":"2026-02-29"}`:                  `closeDate: is no date; write "2006-01-02" without a time, or null to clear it`,
		`{"closeDate":"2026-1-2"}`:                    `closeDate: is no date; write "2006-01-02" without a time, or null to clear it`,
		`{"closeDate":""}`:                            `closeDate: is no date; write "2006-01-02" without a time, or null to clear it`,
		`{"closeDate":1700000000}`:                    `closeDate: is no date; write "2006-01-02" without a time, or null to clear it`,
		`{"company":"company/9"}`:                     `company: is no link; write {"record": "company/9"}, or {"object": "customer", "id": "42"} for an object of your own`,
		`{"company":{"record":"firm/9"}}`:             `company.record: names no record; write entity/id, such as company/9, with one of the entities company, contact, credit_note, deal, dispute, invoice, order, payment, product, quote, refund, subscription`,
		`{"company":{"object":"customer"}}`:           `company.id: is missing; write {"record": "company/9"}, or {"object": "customer", "id": "42"} for an object of your own`,
		`{"company":{"object":"customer","id":42}}`:   `company.id: is no string; write it in quotes, or null to clear it`,
		`{"company":{"object":"a\nb","id":"1"}}`:      `company.object: is no name; write 1 to 255 bytes without control characters`,
		`{"company":{"record":"company/9","id":"1"}}`: `company: names its target twice; use either record, or object and id`,
		`{"company":{"rekord":"company/9"}}`:          `company.rekord: is not known here; use record, connection, object, id`,
		`{"lines":{}}`:                                `lines: is no list of lines; write [{"name": …, "quantity": …, "price": …}]`,
		`{"lines":[null]}`:                            `lines[0]: is no line; write an object`,
		`{"lines":[{},{},{"price":{"amount":1,"currency":"EURO"}}]}`: `lines[2].price.currency: is no currency; write an ISO 4217 code, such as EUR`,
		`{"lines":[{"price":3}]}`:                                    `lines[0].price: is no amount of money; ` + money,
		`{"lines":[{"quantity":true}]}`:                              `lines[0].quantity: is no decimal number; write "12.30" or 12.30, with at most 38 digits and an exponent within ±30, or null to clear it`,
		`{"lines":[{"quantity":1e999999999}]}`:                       `lines[0].quantity: is no decimal number; write "12.30" or 12.30, with at most 38 digits and an exponent within ±30, or null to clear it`,
		`{"lines":[{"qantity":1}]}`:                                  `lines[0].qantity: is no field of a line; did you mean quantity?`,
		`{"lines":[{"colour":1}]}`:                                   `lines[0].colour: is no field of a line; use amount, id, name, price, product, quantity, sku, tax, taxCode`,
		`{"custom":null}`:                                            `custom: is no object; write {"name": value}; a custom field is cleared by its name: {"name": null}`,
		`{"custom":{"a-b":1}}`:                                       `custom.a-b: is no name of a custom field; use 1 to 100 letters, digits and underscores`,
		`{"amount":{"amount":"NaN","currency":"EUR","x":1},"won":0}`: "amount.x: is not known here; use amount, currency\n" +
			`amount.amount: is no decimal number; write "12.30" or 12.30, with at most 38 digits and an exponent within ±30, or null to clear it` + "\n" +
			`won: is no bool; write true or false without quotes`,
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			got, err := events.Canonical(events.EntityDeal, object(t, in))
			require.EqualError(t, err, want)
			require.Nil(t, got)
			var field *events.FieldError
			require.ErrorAs(t, err, &field)
		})
	}
}

func TestCanonicalRefusesUnknownEntity(t *testing.T) {
	t.Parallel()
	_, err := events.Canonical("customer", nil)
	require.EqualError(t, err, `"customer" is no entity (one of company, contact, credit_note, deal, dispute, invoice, order, payment, product, quote, refund, subscription)`)
}

// Values from outside must not get into logs by way of errors.
func TestCanonicalErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	const value = "jane.doe@example.com"
	for name := range events.EntityDeal.Fields() {
		for _, raw := range []string{`{"` + value + `":"` + value + `"}`, `["` + value + `"]`, `"` + value + "\xff\""} {
			_, err := events.Canonical(events.EntityDeal, map[string]json.RawMessage{name: json.RawMessage(raw), "company": nil})
			require.Error(t, err)
			// Names may be told, so that they can be found; values may not.
			require.NotContains(t, strings.ReplaceAll(err.Error(), `"`+value+`"`, ""), value, name)
		}
	}
}

func TestCanonicalBoundsItsErrors(t *testing.T) {
	t.Parallel()
	in := map[string]json.RawMessage{}
	for i := range 5000 {
		in[fmt.Sprintf("%s%04d", strings.Repeat("x", 300), i)] = json.RawMessage("1")
	}
	_, err := events.Canonical(events.EntityDeal, in)
	require.ErrorContains(t, err, "and 4980 more problems")
	require.Less(t, len(err.Error()), 5000)
}

// The values that are written without encoding/json are the same as with it.
func TestCanonicalWritesLikeFieldsSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z<>&"\\ü\x{2028}]{0,5}`))
		money := rapid.Custom(func(t *rapid.T) events.Money {
			return events.Money{Amount: decimals().Draw(t, "amount"), Currency: rapid.SampledFrom([]string{"EUR", "JPY"}).Draw(t, "currency")}
		})
		link := rapid.Custom(func(t *rapid.T) events.Link {
			id := rapid.StringMatching(`[a-z<>&"\\ü /]{1,5}`)
			if rapid.Bool().Draw(t, "record") {
				return events.Link{Record: events.Key{Entity: events.EntityCompany, ID: id.Draw(t, "id")}}
			}
			return events.Link{Object: id.Draw(t, "object"), ID: id.Draw(t, "id"), Connection: rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "connection")}
		})
		line := rapid.Custom(func(t *rapid.T) events.Line {
			l := events.Line{ID: text.Draw(t, "id"), Name: text.Draw(t, "name"), SKU: text.Draw(t, "sku")}
			if rapid.Bool().Draw(t, "full") {
				l.Product, l.Quantity, l.Price, l.Amount = link.Draw(t, "product"), decimals().Draw(t, "quantity"), money.Draw(t, "price"), money.Draw(t, "amount")
			}
			return l
		})
		want := events.Fields{}
		want.Set("name", text.Draw(t, "name"))
		want.Set("amount", money.Draw(t, "amount"))
		want.Set("company", link.Draw(t, "company"))
		want.Set("won", rapid.Bool().Draw(t, "won"))
		want.Set("lines", rapid.SliceOf(line).Draw(t, "lines"))
		want.Set("closeDate", "2026-01-31")
		got, err := events.Canonical(events.EntityDeal, want)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(asText(want), asText(got)))
		got, err = events.CanonicalObject(events.EntityDeal, nested(t, want))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(asText(want), asText(got)))
	})
}

// Every field of a Line is understood: one that were forgotten would vanish.
func TestCanonicalKnowsEveryLineField(t *testing.T) {
	t.Parallel()
	values := map[events.Kind]string{
		events.KindString: `"x"`, events.KindDecimal: `"3"`, events.KindLink: `{"record":"product/1"}`,
		events.KindMoney: `{"amount":"1","currency":"EUR"}`,
	}
	for name, f := range events.KindLines.ItemFields() {
		require.Contains(t, values, f.Kind)
		want := `[{"` + name + `":` + values[f.Kind] + `}]`
		got, err := events.Canonical(events.EntityDeal, map[string]json.RawMessage{"lines": json.RawMessage(want)})
		require.NoError(t, err)
		require.Equal(t, want, string(got["lines"]))
	}
}

// nested is the inverse of Canonical: custom fields back in their object.
func nested(t require.TestingT, f events.Fields) []byte {
	m := map[string]any{}
	custom := map[string]any{}
	for name, v := range f {
		if key, ok := strings.CutPrefix(name, "custom."); ok {
			custom[key] = v
			continue
		}
		m[name] = v
	}
	if len(custom) > 0 {
		m["custom"] = custom
	}
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return b
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"name":"Acme","amount":{"amount":"1.10","currency":"usd"},"closeDate":"2026-01-02","won":true}`,
		`{"company":{"record":"company/9"},"contact":{"object":"x","id":"\u0000"}}`,
		`{"lines":[{"quantity":1e3,"price":{"amount":-0.0,"currency":"JPY"},"sku":"\ud800"}]}`,
		`{"custom":{"a":[1,{"b":null}],"c":1.0}}`, `{"custom":[]}`, `{"amount":null}`, "{\"name\":\"\xff\"}",
	} {
		f.Add("deal", []byte(seed))
	}
	f.Add("invoice", []byte(`{"total":{"amount":"99999999999999999999999999999999999999","currency":"BHD"}}`))
	f.Fuzz(func(t *testing.T, entity string, data []byte) {
		var in map[string]json.RawMessage
		if json.Unmarshal(data, &in) != nil {
			return
		}
		e := events.Entity(entity)
		once, err := events.Canonical(e, in)
		if err != nil {
			require.Nil(t, once)
			require.Less(t, len(err.Error()), 20_000)
			return
		}
		for name, v := range once {
			require.True(t, json.Valid(v), "%s: %s", name, v)
			kept, err := json.Marshal(v) // as a message on the bus would hold it
			require.NoError(t, err)
			require.Equal(t, string(v), string(kept))
		}
		twice, err := events.Canonical(e, object(t, string(nested(t, once))))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(asText(once), asText(twice)))
	})
}

// Whatever canonicalises has arbitrary bytes refused, never a panic.
func FuzzCanonicalBytes(f *testing.F) {
	f.Add("amount", []byte(`{"amount":`))
	f.Add("lines", []byte(`[`))
	f.Add("company", []byte(`{`))
	f.Add("custom", []byte(`{"a":1}}`))
	f.Add("name", []byte(`"`))
	f.Add("won", []byte(nil))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		out, err := events.Canonical(events.EntityDeal, map[string]json.RawMessage{name: raw})
		if !json.Valid(raw) && err == nil && len(raw) > 0 && name != "lines" && name != "custom" {
			for _, v := range out {
				require.True(t, json.Valid(v))
			}
		}
		var field *events.FieldError
		if err != nil && !errors.As(err, &field) {
			t.Fatalf("%v", err)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	in := map[string]json.RawMessage{}
	_ = json.Unmarshal([]byte(`{"name":"Acme renewal","amount":{"amount":"1200.00","currency":"USD"},"stage":"won","won":true,
		"company":{"object":"company","id":"42"},"lines":[{"name":"Seat","quantity":"3","price":{"amount":"400.00","currency":"USD"}}]}`), &in)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Canonical(events.EntityDeal, in); err != nil {
			b.Fatal(err)
		}
	}
}
