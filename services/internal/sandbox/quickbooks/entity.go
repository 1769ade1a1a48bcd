package quickbooksbox

import (
	"slices"
	"strings"
)

// entity is how one type of object is kept and checked.
type entity struct {
	name string
	path string
	// writable are the properties that a request may hold; any other one is
	// refused. filterable are those that a query may ask for.
	writable   []string
	filterable []string
	// named objects are customers and items: they can only be made inactive.
	named bool
	// void is the operation that voids one; empty where there is none.
	void string
	// check completes an object that is about to be stored, or refuses it.
	// before is nil for a new one.
	check func(b *Box, o, before object) *problem
}

// common are the properties of every object.
const common = "Id SyncToken sparse domain MetaData"

// saleFields are the properties of every sales form.
const saleFields = common + " CustomerRef DocNumber TxnDate CurrencyRef ExchangeRate BillEmail BillEmailCc BillAddr ShipAddr CustomerMemo PrivateNote " +
	"Line TxnTaxDetail GlobalTaxCalculation DepartmentRef ClassRef ApplyTaxAfterDiscount EmailStatus PrintStatus LinkedTxn TotalAmt Balance CustomField"

// saleFilters are what queries may ask for of a sales form.
const saleFilters = "Id DocNumber CustomerRef TxnDate TotalAmt MetaData.LastUpdatedTime MetaData.CreateTime"

func entities() []entity {
	const times = "MetaData.LastUpdatedTime MetaData.CreateTime"
	return []entity{
		{
			name: "Customer", path: "customer", check: checkCustomer, named: true,
			writable: words(common, "DisplayName CompanyName GivenName FamilyName PrintOnCheckName PrimaryEmailAddr PrimaryPhone AlternatePhone "+
				"Mobile Fax WebAddr BillAddr ShipAddr CurrencyRef Notes Active Taxable Job BillWithParent ParentRef SalesTermRef PaymentMethodRef "+
				"DefaultTaxCodeRef PreferredDeliveryMethod FullyQualifiedName Balance BalanceWithJobs"),
			filterable: words("Id DisplayName CompanyName Active", times),
		},
		{
			name: "Item", path: "item", check: checkItem, named: true,
			writable: words(common, "Name Sku Type Description UnitPrice Active Taxable IncomeAccountRef ExpenseAccountRef AssetAccountRef "+
				"PurchaseDesc PurchaseCost TrackQtyOnHand QtyOnHand InvStartDate SalesTaxCodeRef ParentRef SubItem FullyQualifiedName"),
			filterable: words("Id Name Sku Type Active", times),
		},
		{
			name: "Invoice", path: "invoice", check: checkInvoice, void: "void",
			writable: words(saleFields, "DueDate SalesTermRef AllowOnlineCreditCardPayment AllowOnlineACHPayment InvoiceLink"),

			filterable: words(saleFilters, "DueDate Balance"),
		},
		{
			name: "Estimate", path: "estimate", check: checkEstimate,
			writable: words(saleFields, "ExpirationDate TxnStatus AcceptedBy AcceptedDate"), filterable: words(saleFilters, "TxnStatus ExpirationDate"),
		},
		{
			name: "SalesReceipt", path: "salesreceipt", check: checkReceipt, void: "update",
			writable: words(saleFields, "DepositToAccountRef PaymentMethodRef PaymentRefNum"), filterable: words(saleFilters),
		},
		{
			name: "CreditMemo", path: "creditmemo", check: checkCreditMemo,
			writable: words(saleFields, "RemainingCredit InvoiceRef"), filterable: words(saleFilters, "Balance"),
		},
		{
			name: "RefundReceipt", path: "refundreceipt", check: checkRefundReceipt,
			writable: words(saleFields, "DepositToAccountRef PaymentMethodRef PaymentRefNum"), filterable: words(saleFilters),
		},
		{
			name: "Payment", path: "payment", check: checkPayment, void: "update",
			writable: words(common, "CustomerRef TotalAmt TxnDate CurrencyRef ExchangeRate Line PaymentRefNum PaymentMethodRef DepositToAccountRef "+
				"ARAccountRef PrivateNote UnappliedAmt ProcessPayment"),
			filterable: words("Id CustomerRef TotalAmt TxnDate", times),
		},
	}
}

// queryable also has what can only be read.
func queryable() []entity {
	return append(entities(),
		entity{name: "Account", filterable: words("Id Name FullyQualifiedName AccountType AccountSubType Active")},
		entity{name: "Preferences"},
		entity{name: "TaxCode", filterable: words("Id Name Active")})
}

func words(lists ...string) []string { return strings.Fields(strings.Join(lists, " ")) }

// properties refuses what the entity does not have. Names are case-sensitive.
func (e entity) properties(in object) *problem {
	for name := range in {
		if !slices.Contains(e.writable, name) {
			return unsupported(name)
		}
	}
	lines, _ := in["Line"].([]any)
	known := words("Id LineNum Description Amount DetailType LinkedTxn SalesItemLineDetail SubTotalLineDetail DiscountLineDetail DescriptionLineDetail GroupLineDetail")
	for _, l := range lines {
		line, ok := l.(map[string]any)
		if !ok {
			return unsupported("Line")
		}
		for name := range line {
			if !slices.Contains(known, name) {
				return unsupported("Line." + name)
			}
		}
		detail, _ := line["SalesItemLineDetail"].(map[string]any)
		for name := range detail {
			if !slices.Contains(words("ItemRef Qty UnitPrice TaxCodeRef ServiceDate ClassRef ItemAccountRef DiscountRate DiscountAmt TaxInclusiveAmt"), name) {
				return unsupported("SalesItemLineDetail." + name)
			}
		}
	}
	return nil
}

// text returns a text property.
func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

// inside returns an object property.
func (o object) inside(name string) object {
	switch m := o[name].(type) {
	case map[string]any:
		return m
	case object:
		return m
	}
	return nil
}

// ref returns the id of a reference property.
func (o object) ref(name string) string { return o.inside(name).text("value") }

// lines returns the elements of Line.
func (o object) lines() []object { return o.listOf("Line") }

// listOf returns the objects of a list property.
func (o object) listOf(name string) []object {
	l, _ := o[name].([]any)
	out := make([]object, 0, len(l))
	for _, e := range l {
		switch m := e.(type) {
		case map[string]any:
			out = append(out, m)
		case object:
			out = append(out, m)
		}
	}
	return out
}

func (o object) active() bool { return o["Active"] != false }
