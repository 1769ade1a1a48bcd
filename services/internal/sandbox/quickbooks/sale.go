package quickbooksbox

import (
	"encoding/json"
	"math/big"
	"strconv"
	"time"
)

// checkInvoice completes an invoice.
func checkInvoice(b *Box, o, before object) *problem {
	total, p := b.sale(o, before, "Invoice")
	if p != nil {
		return p
	}
	if o.text("DueDate") == "" {
		day, _ := time.Parse(time.DateOnly, o.text("TxnDate"))
		o["DueDate"] = day.AddDate(0, 0, 30).Format(time.DateOnly)
	}
	for _, l := range o.listOf("LinkedTxn") {
		if l.text("TxnType") == "Estimate" && b.state.Objects["Estimate"][l.text("TxnId")] == nil {
			return badReference("LinkedTxn", l.text("TxnId"))
		}
	}
	return b.balance(o, before, total, "Invoice")
}

// customerOf checks the customer and takes over its currency.
func (b *Box) customerOf(o, before object) *problem {
	id := o.ref("CustomerRef")
	if id == "" {
		return missingParam("CustomerRef")
	}
	customer, ok := b.state.Objects["Customer"][id]
	if !ok || !customer.active() {
		return badReference("Customers", id)
	}
	if o.ref("CurrencyRef") == "" {
		// A company with several currencies takes the home currency, and
		// refuses it when the customer has another one.
		o["CurrencyRef"] = object{"value": b.opts.Currency}
	}
	if o.ref("CurrencyRef") != customer.ref("CurrencyRef") {
		return business("The currency must be that of the customer")
	}
	o["CustomerRef"] = object{"value": id, "name": customer.text("DisplayName")}
	if rate, given := o["ExchangeRate"]; given {
		if n, ok := amountOf(rate); !ok || n.Sign() <= 0 {
			return unsupported("ExchangeRate")
		}
	} else if o.ref("CurrencyRef") != b.opts.Currency {
		o["ExchangeRate"] = json.Number("1")
	}
	return b.currencyOf(o, before)
}

// dates checks the date of a transaction against the closed books.
func (b *Box) dates(o, before object) *problem {
	if o.text("TxnDate") == "" {
		o["TxnDate"] = b.opts.Now().Format(time.DateOnly)
	}
	for _, name := range []string{"TxnDate", "DueDate", "ExpirationDate", "AcceptedDate"} {
		if v, given := o[name]; given {
			s, _ := v.(string)
			if _, err := time.Parse(time.DateOnly, s); err != nil {
				return unsupported(name)
			}
		}
	}
	if p := b.movable(o); p != nil {
		return p
	}
	if before != nil {
		return b.movable(before)
	}
	return nil
}

// movable refuses to touch what lies in a closed period or in a deposit.
func (b *Box) movable(o object) *problem {
	if b.opts.BookCloseDate != "" && o.text("TxnDate") <= b.opts.BookCloseDate {
		return invalid("6210", "Account Period Closed, Cannot Update Through Services API",
			"The account period has closed and the account books cannot be updated through services API. Please use the QBO website to make these changes.", "")
	}
	if o["deposited"] == true {
		return invalid("6540", "Deposited Transaction cannot be changed",
			"If you want to change this transaction, delete it from the deposit first", "")
	}
	return nil
}

// number checks a number, which is unique among the forms of one kind, and gives the next one where the company numbers
// by itself.
func (b *Box) number(o, before object, entity string) *problem {
	n := o.text("DocNumber")
	if n == "" || n == "AUTO_GENERATE" {
		delete(o, "DocNumber")
		if b.opts.AutoNumbers || n != "" {
			o["DocNumber"] = strconv.Itoa(b.state.NextNumber)
			b.state.NextNumber++
		}
		return nil
	}
	if len([]rune(n)) > 21 {
		return tooLong("DocNumber")
	}
	for id, other := range b.state.Objects[entity] {
		if !b.repeats && other.text("DocNumber") == n && (before == nil || id != before.text("Id")) {
			return invalid("6140", "Duplicate Document Number Error",
				"Duplicate Document Number Error : You must specify a different number. This number has already been used. DocNumber="+n+
					" is assigned to TxnType="+entity+" with TxnId="+id, "")
		}
	}
	return nil
}

// saleLines checks the lines of an invoice, numbers them, adds the subtotal
// and returns the total.
func (b *Box) saleLines(o object) (*big.Rat, *problem) {
	var kept []any
	total := new(big.Rat)
	for _, l := range o.lines() {
		typ := l.text("DetailType")
		if typ == "SubTotalLineDetail" {
			continue
		}
		a, ok := amountOf(l["Amount"])
		if !ok && typ != "DescriptionOnly" {
			return nil, missingParam("Line.Amount")
		}
		switch typ {
		case "SalesItemLineDetail":
			if p := b.saleDetail(l, a); p != nil {
				return nil, p
			}
			total.Add(total, a)
		case "DiscountLineDetail":
			total.Sub(total, a)
		case "DescriptionOnly", "GroupLineDetail":
		case "":
			return nil, missingParam("Line.DetailType")
		default:
			return nil, invalid("2170", "Invalid Enumeration", "Invalid Enumeration : "+typ, "Line.DetailType")
		}
		if len([]rune(l.text("Description"))) > 4000 {
			return nil, tooLong("Line.Description")
		}
		if l.text("Id") == "" {
			l["Id"] = b.state.newID()
		}
		l["LineNum"] = json.Number(strconv.Itoa(len(kept) + 1))
		kept = append(kept, l)
	}
	if len(kept) == 0 {
		return nil, missingParam("Line")
	}
	o["Line"] = append(kept, object{"Amount": amount(total), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": object{}})
	return total, nil
}

func (b *Box) saleDetail(l object, a *big.Rat) *problem {
	d := l.inside("SalesItemLineDetail")
	if d == nil {
		return missingParam("Line.SalesItemLineDetail")
	}
	if id := d.ref("ItemRef"); id != "" {
		if item, ok := b.state.Objects["Item"][id]; !ok || !item.active() {
			return badReference("Items", id)
		}
	}
	if p := b.taxCode(d); p != nil {
		return p
	}
	qty, hasQty := amountOf(d["Qty"])
	price, hasPrice := amountOf(d["UnitPrice"])
	if hasQty && hasPrice {
		product := new(big.Rat).Mul(qty, price)
		if want := product.FloatString(places); want != a.FloatString(places) || a.Cmp(mustRat(want)) != 0 {
			return invalid("6070", "Amount calculation incorrect in the request",
				"Amount calculation incorrect in the request : Amount is not equal to UnitPrice * Qty. Supplied value:"+a.FloatString(places+2), "Line.Amount")
		}
	}
	l["Amount"] = amount(a)
	return nil
}

// mustRat reads what FloatString wrote.
func mustRat(s string) *big.Rat {
	r, _ := new(big.Rat).SetString(s)
	return r
}
