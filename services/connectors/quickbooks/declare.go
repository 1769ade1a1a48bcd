package quickbooks

import (
	"slices"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The object types, as QuickBooks names them.
const (
	objectCustomer      = "Customer"
	objectItem          = "Item"
	objectInvoice       = "Invoice"
	objectEstimate      = "Estimate"
	objectSalesReceipt  = "SalesReceipt"
	objectPayment       = "Payment"
	objectCreditMemo    = "CreditMemo"
	objectRefundReceipt = "RefundReceipt"
)

// Field types, for short.
const (
	text    = connector.FieldString
	money   = connector.FieldMoney
	decimal = connector.FieldDecimal
	date    = connector.FieldDate
	flag    = connector.FieldBool
)

// objects declares what flows may set. Names are QuickBooks's own; where it
// nests a single value (PrimaryEmailAddr.Address) the outer name stands for
// it, and parts of an address are written as one word (BillAddrCity).
func objects() []connector.Object {
	const all = connector.Create | connector.Update | connector.Delete | connector.Read | connector.Webhook
	return []connector.Object{
		{Name: objectCustomer, Entity: events.EntityCompany, Can: all, Fields: customerFields()},
		// Whatever an item could carry prints on invoices.
		{Name: objectItem, Entity: events.EntityProduct, Can: all, Unmarked: true, Fields: itemFields()},
		{Name: objectInvoice, Entity: events.EntityInvoice, Can: all, Fields: saleFields(
			connector.Field{Name: "DueDate", Type: date},
			connector.Field{Name: "EstimateRef", Type: connector.FieldRef, Ref: objectEstimate, Doc: "The estimate that it is made from; it can't change later"},
		)},
		{Name: objectEstimate, Entity: events.EntityQuote, Can: all, Fields: saleFields(
			connector.Field{Name: "ExpirationDate", Type: date},
			connector.Field{Name: "TxnStatus", Type: text, Doc: "Pending, Accepted, Closed or Rejected, or the status of a quote"},
		)},
		{Name: objectSalesReceipt, Entity: events.EntityOrder, Can: all, Fields: saleFields(moveFields()...)},
		{Name: objectPayment, Entity: events.EntityPayment, Can: all, Fields: paymentFields()},
		{Name: objectCreditMemo, Entity: events.EntityCreditNote, Can: all, Fields: saleFields(connector.Field{
			Name: "Apply", Type: connector.FieldList, Fields: settledFields(), Doc: "Which invoices get how much of it, by a payment of nothing",
		})},
		{Name: objectRefundReceipt, Entity: events.EntityRefund, Can: all, Fields: saleFields(moveFields()...)},
	}
}

func customerFields() []connector.Field {
	return slices.Concat([]connector.Field{
		{Name: "DisplayName", Type: text, Required: true, Doc: "Unique among customers, vendors and employees; the record's id is added where it is taken"},
		{Name: "CompanyName", Type: text, Doc: "DisplayName when absent"},
		{Name: "PrimaryEmailAddr", Type: text},
		{Name: "PrimaryPhone", Type: text},
		{Name: "WebAddr", Type: text, Doc: "Address of the web site; https:// is added"},
		{Name: "CurrencyRef", Type: text, Doc: "ISO 4217 code; it can't change once the customer exists"},
		{Name: "Notes", Type: text, Doc: "Spoke adds its key"},
		{Name: "Active", Type: flag},
	}, addressFields("BillAddr"), addressFields("ShipAddr"))
}

func addressFields(name string) []connector.Field {
	return []connector.Field{
		{Name: name + "Line1", Type: text},
		{Name: name + "City", Type: text},
		{Name: name + "CountrySubDivisionCode", Type: text, Doc: "State or province"},
		{Name: name + "PostalCode", Type: text},
		{Name: name + "Country", Type: text},
	}
}

func itemFields() []connector.Field {
	return []connector.Field{
		{Name: "Name", Type: text, Required: true, Doc: "Unique, at most 100 characters; the record's id is added where it is taken"},
		{Name: "Sku", Type: text, Doc: "An item that has it already is taken over"},
		{Name: "Type", Type: text, Doc: "Service (default), NonInventory or Inventory, whose stock begins empty; it can't change later"},
		{Name: "Description", Type: text, Doc: "Printed on invoices"},
		{Name: "UnitPrice", Type: money, Doc: "Left out when it is not in the home currency"},
		{Name: "PurchaseCost", Type: money, Doc: "Left out when it is not in the home currency"},
		{Name: "IncomeAccountRef", Type: text, Doc: "Id or name; the income_account of the connection when absent"},
		{Name: "SalesTaxCodeRef", Type: text, Doc: "Mapped by tax.codes; in the United States it says whether the item is taxable"},
		{Name: "Active", Type: flag},
	}
}

// saleFields are the fields of every sales form.
func saleFields(more ...connector.Field) []connector.Field {
	return slices.Concat([]connector.Field{
		{Name: "CustomerRef", Type: connector.FieldRef, Ref: objectCustomer, Required: true},
		{Name: "DocNumber", Type: text, Doc: "Unique, at most 21 characters"},
		{Name: "TxnDate", Type: date},
		{Name: "CurrencyRef", Type: text, Doc: "ISO 4217 code; that of the lines' amounts when absent"},
		{Name: "ExchangeRate", Type: decimal, Doc: "Units of the home currency for one of the form's; QuickBooks's own when absent"},
		{Name: "BillEmail", Type: text},
		{Name: "CustomerMemo", Type: text, Doc: "Printed on the form"},
		{Name: "PrivateNote", Type: text, Doc: "Spoke adds its key"},
		{Name: "GlobalTaxCalculation", Type: text, Doc: "TaxExcluded or NotApplicable outside the United States; tax.calculation when absent"},
		{Name: "TotalTax", Type: money, Doc: "In the place of the tax that QuickBooks works out"},
		{Name: "Line", Type: connector.FieldList, Required: true, Fields: lineFields()},
	}, addressFields("ShipAddr"), more)
}

func lineFields() []connector.Field {
	return []connector.Field{
		{Name: "ItemRef", Type: connector.FieldRef, Ref: objectItem},
		{Name: "Description", Type: text},
		{Name: "Qty", Type: decimal},
		{Name: "UnitPrice", Type: money},
		{Name: "Amount", Type: money, Doc: "Qty times UnitPrice when absent; where it is less the unit price is lowered to match"},
		{Name: "ServiceDate", Type: date},
		{Name: "TaxCodeRef", Type: text, Doc: "Mapped by tax.codes; tax.default_tax_code when absent"},
	}
}

// moveFields tell how money moved.
func moveFields() []connector.Field {
	return []connector.Field{
		{Name: "PaymentRefNum", Type: text, Doc: "What is longer than 21 characters goes to the note instead"},
		{Name: "PaymentMethodRef", Type: text, Doc: "Id of a payment method"},
	}
}

// settledFields say how much goes to an invoice.
func settledFields() []connector.Field {
	return []connector.Field{
		{Name: "InvoiceRef", Type: connector.FieldRef, Ref: objectInvoice, Required: true},
		{Name: "Amount", Type: money, Required: true},
	}
}

func paymentFields() []connector.Field {
	return append([]connector.Field{
		{Name: "CustomerRef", Type: connector.FieldRef, Ref: objectCustomer, Required: true},
		{Name: "TotalAmt", Type: money, Required: true},
		{Name: "TxnDate", Type: date},
		{Name: "ExchangeRate", Type: decimal, Doc: "Units of the home currency for one of the payment's"},
		{Name: "InvoiceRef", Type: connector.FieldRef, Ref: objectInvoice, Doc: "The invoice that the whole amount pays, where there is no Line"},
		{Name: "PrivateNote", Type: text, Doc: "Spoke adds its key"},
		{Name: "Line", Type: connector.FieldList, Fields: settledFields(), Doc: "What it pays, invoice by invoice"},
	}, moveFields()...)
}
