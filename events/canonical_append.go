package events

import "encoding/json"

// These write the same bytes as encoding/json, without reflection and without
// checking the result once more: ingest makes some ten thousand values a
// second. A test holds them against Fields.Set.

func appendText(b []byte, s string) []byte {
	if plainText(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	quoted, _ := json.Marshal(s) // a string always encodes
	return append(b, quoted...)
}

// plainText reports whether encoding writes s without an escape.
func plainText[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' || b >= 0x7f || b == '"' || b == '\\' || b == '<' || b == '>' || b == '&' {
			return false
		}
	}
	return true
}

func appendDecimal(b []byte, d Decimal) []byte {
	b = append(b, '"')
	b = d.appendTo(b)
	return append(b, '"')
}

func appendMoney(b []byte, m Money) []byte {
	b = appendDecimal(append(b, `{"amount":`...), m.Amount)
	b = appendText(append(b, `,"currency":`...), m.Currency)
	return append(b, '}')
}

func appendLink(b []byte, l Link) []byte {
	b = append(b, '{')
	if !l.Record.IsZero() {
		b = appendText(append(b, `"record":`...), l.Record.String())
	}
	b = appendMember(b, "connection", l.Connection)
	b = appendMember(b, "object", l.Object)
	b = appendMember(b, "id", l.ID)
	return append(b, '}')
}

// appendMember appends a text that is left out when it is empty.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(appendName(b, name), value)
}

func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// appendList appends a list whose items write appends.
func appendList[T any](write func([]byte, T) []byte) func([]byte, []T) []byte {
	return func(b []byte, items []T) []byte {
		b = append(b, '[')
		for i, item := range items {
			if i > 0 {
				b = append(b, ',')
			}
			b = write(b, item)
		}
		return append(b, ']')
	}
}

// appendApplied keeps the order of the fields of Applied.
func appendApplied(b []byte, a Applied) []byte {
	b = append(b, '{')
	if !a.Invoice.IsZero() {
		b = appendLink(appendName(b, "invoice"), a.Invoice)
	}
	if !a.Amount.IsZero() {
		b = appendMoney(appendName(b, "amount"), a.Amount)
	}
	return append(b, '}')
}

// appendLine keeps the order of the fields of Line.
func appendLine(b []byte, l Line) []byte {
	b = appendMember(append(b, '{'), "id", l.ID)
	if !l.Product.IsZero() {
		b = appendLink(appendName(b, "product"), l.Product)
	}
	b = appendMember(b, "name", l.Name)
	b = appendMember(b, "sku", l.SKU)
	if !l.Quantity.IsZero() {
		b = appendDecimal(appendName(b, "quantity"), l.Quantity)
	}
	if !l.Price.IsZero() {
		b = appendMoney(appendName(b, "price"), l.Price)
	}
	if !l.Amount.IsZero() {
		b = appendMoney(appendName(b, "amount"), l.Amount)
	}
	b = appendMember(b, "taxCode", l.TaxCode)
	if !l.Tax.IsZero() {
		b = appendMoney(appendName(b, "tax"), l.Tax)
	}
	return append(b, '}')
}
