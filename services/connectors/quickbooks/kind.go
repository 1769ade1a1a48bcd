package quickbooks

import (
	"embed"
	"fmt"
	"log/slog"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/oauth"
)

//go:embed flows/*.yaml
var flowFiles embed.FS

// kindOf is the kind as the settings make it: with the flows that they ask for.
func kindOf(s *Settings) connector.Kind {
	return connector.Kind{
		Name: Name, Title: "QuickBooks Online",
		Objects:  objects(),
		Feeds:    feeds(),
		Limits:   connector.Limits{PerSecond: perSecond, Burst: burst, Concurrent: concurrent},
		Settings: func() any { return DefaultSettings() },
		Open: func(settings any, deps connector.Deps) (connector.Connector, error) {
			s, ok := settings.(*Settings)
			if !ok {
				return connector.Connector{}, fmt.Errorf("quickbooks: settings are %T, want *quickbooks.Settings", settings)
			}
			return Open(s, deps)
		},
		Consent: openConsent,
		Flows:   s.flows(),
	}
}

// Open makes a connection. Without a store in deps its refresh token is kept
// in memory, from where it is lost when the process ends.
func Open(s *Settings, deps connector.Deps) (connector.Connector, error) {
	if err := s.Validate(); err != nil {
		return connector.Connector{}, err
	}
	deps = withDefaults(deps)
	c := newClient(s, deps, newTokens(s, deps))
	t := newTarget(s, deps, c)
	con := connector.Connector{Reader: &reader{t}, Scanner: &scanner{&reader{t}}, Target: t}
	if len(s.VerifierTokens) > 0 {
		con.Webhooks = &webhooks{settings: s, connection: deps.Connection, now: deps.Now}
	}
	return con, nil
}

func withDefaults(deps connector.Deps) connector.Deps {
	if deps.Tokens == nil {
		deps.Tokens = oauth.NewMemoryStore()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Count == nil {
		deps.Count = func(string, int) {}
	}
	return deps
}

// The object types, as QuickBooks names them.
const (
	objectCustomer = "Customer"
	objectItem     = "Item"
	objectInvoice  = "Invoice"
	objectPayment  = "Payment"
	objectEstimate = "Estimate"
	objectReceipt  = "SalesReceipt"
	objectCredit   = "CreditMemo"
	objectRefund   = "RefundReceipt"
)

// objects declares what flows may set. Names are QuickBooks's own; where it
// nests a single value (PrimaryEmailAddr.Address) the outer name stands for
// it, and parts of an address are written as one word (BillAddrCity).
func objects() []connector.Object {
	const all = connector.Create | connector.Update | connector.Delete | connector.Read | connector.Webhook
	const (
		text  = connector.FieldString
		money = connector.FieldMoney
		date  = connector.FieldDate
		flag  = connector.FieldBool
	)
	return []connector.Object{
		{Name: objectCustomer, Entity: events.EntityCompany, Can: all, Fields: []connector.Field{
			{Name: "DisplayName", Type: text, Required: true, Doc: "Unique among customers, vendors and employees; the record's id is added where it is taken"},
			{Name: "CompanyName", Type: text, Doc: "DisplayName when absent"},
			{Name: "PrimaryEmailAddr", Type: text},
			{Name: "PrimaryPhone", Type: text},
			{Name: "WebAddr", Type: text, Doc: "Address of the web site; https:// is added"},
			{Name: "BillAddrLine1", Type: text},
			{Name: "BillAddrCity", Type: text},
			{Name: "BillAddrCountrySubDivisionCode", Type: text, Doc: "State or province"},
			{Name: "BillAddrPostalCode", Type: text},
			{Name: "BillAddrCountry", Type: text},
			{Name: "CurrencyRef", Type: text, Doc: "ISO 4217 code; it can't change once the customer exists"},
			{Name: "Notes", Type: text, Doc: "Spoke adds its key"},
			{Name: "Active", Type: flag},
		}},
		// Whatever an item could carry prints on invoices.
		{Name: objectItem, Entity: events.EntityProduct, Can: all, Unmarked: true, Fields: []connector.Field{
			{Name: "Name", Type: text, Required: true, Doc: "Unique, at most 100 characters; the record's id is added where it is taken"},
			{Name: "Sku", Type: text, Doc: "An item that has it already is taken over"},
			{Name: "Type", Type: text, Doc: "Service (default), NonInventory or Inventory, whose stock begins empty"},
			{Name: "Description", Type: text, Doc: "Printed on invoices"},
			{Name: "UnitPrice", Type: money, Doc: "Left out when it is not in the home currency"},
			{Name: "IncomeAccountRef", Type: text, Doc: "Id or name; the income_account of the connection when absent"},
			{Name: "Active", Type: flag},
		}},
		{Name: objectInvoice, Entity: events.EntityInvoice, Can: all, Fields: saleFields(
			connector.Field{Name: "DueDate", Type: date},
		)},
		{Name: objectEstimate, Entity: events.EntityQuote, Can: all, Fields: saleFields(
			connector.Field{Name: "ExpirationDate", Type: date},
			connector.Field{Name: "TxnStatus", Type: text, Doc: "Pending (default), Accepted, Closed or Rejected, or the status of a quote"},
		)},
		{Name: objectReceipt, Entity: events.EntityOrder, Can: all, Fields: saleFields(
			connector.Field{Name: "PaymentRefNum", Type: text, Doc: "What is longer than 21 characters goes to the note instead"},
		)},
		{Name: objectCredit, Entity: events.EntityCreditNote, Can: all, Fields: saleFields(
			connector.Field{Name: "Apply", Type: connector.FieldList, Doc: "What the credit settles, by a payment of nothing", Fields: []connector.Field{
				{Name: "InvoiceRef", Type: connector.FieldRef, Ref: objectInvoice, Required: true},
				{Name: "Amount", Type: money, Required: true},
			}},
		)},
		{Name: objectRefund, Entity: events.EntityRefund, Can: all, Fields: saleFields(
			connector.Field{Name: "PaymentRefNum", Type: text, Doc: "What is longer than 21 characters goes to the note instead"},
		)},
		{Name: objectPayment, Entity: events.EntityPayment, Can: all, Fields: []connector.Field{
			customerField(),
			{Name: "TotalAmt", Type: money, Required: true},
			exchangeRate(),
			{Name: "TxnDate", Type: date},
			{Name: "InvoiceRef", Type: connector.FieldRef, Ref: objectInvoice, Doc: "The invoice that the whole amount pays where Line is empty"},
			{Name: "PaymentRefNum", Type: text, Doc: "What is longer than 21 characters goes to the note instead"},
			{Name: "PrivateNote", Type: text, Doc: "Spoke adds its key"},
			{Name: "Line", Type: connector.FieldList, Fields: []connector.Field{
				{Name: "InvoiceRef", Type: connector.FieldRef, Ref: objectInvoice, Required: true},
				{Name: "Amount", Type: money, Required: true},
			}},
		}},
	}
}

func customerField() connector.Field {
	return connector.Field{Name: "CustomerRef", Type: connector.FieldRef, Ref: objectCustomer, Required: true}
}

// saleFields are the fields of a sales form: those that all have, then its own.
func saleFields(own ...connector.Field) []connector.Field {
	const (
		text  = connector.FieldString
		money = connector.FieldMoney
		date  = connector.FieldDate
	)
	return append([]connector.Field{
		customerField(),
		{Name: "DocNumber", Type: text, Doc: "Unique, at most 21 characters"},
		{Name: "TxnDate", Type: date},
		{Name: "CurrencyRef", Type: text, Doc: "ISO 4217 code; that of the lines' amounts when absent"},
		exchangeRate(),
		{Name: "BillEmail", Type: text},
		{Name: "CustomerMemo", Type: text, Doc: "Printed on the form"},
		{Name: "PrivateNote", Type: text, Doc: "Spoke adds its key"},
		{Name: "Line", Type: connector.FieldList, Required: true, Fields: []connector.Field{
			{Name: "ItemRef", Type: connector.FieldRef, Ref: objectItem},
			{Name: "Description", Type: text},
			{Name: "Qty", Type: connector.FieldDecimal},
			{Name: "UnitPrice", Type: money},
			{Name: "Amount", Type: money, Doc: "Qty times UnitPrice when absent; where it is less the unit price is lowered to match"},
			{Name: "ServiceDate", Type: date},
			{Name: "TaxCodeRef", Type: text, Doc: "As the source names it, by tax.codes of the connection; its default_tax_code when absent"},
		}},
	}, own...)
}

func exchangeRate() connector.Field {
	return connector.Field{Name: "ExchangeRate", Type: connector.FieldDecimal, Doc: "Home currency for one unit of a foreign one; QuickBooks's own rate when absent"}
}
