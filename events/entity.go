package events

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entity names a canonical business object.
type Entity string

// The canonical entities.
const (
	EntityCompany      Entity = "company"
	EntityContact      Entity = "contact"
	EntityProduct      Entity = "product"
	EntityDeal         Entity = "deal"
	EntityOrder        Entity = "order"
	EntityInvoice      Entity = "invoice"
	EntityPayment      Entity = "payment"
	EntityRefund       Entity = "refund"
	EntitySubscription Entity = "subscription"
	EntityQuote        Entity = "quote"
	EntityCreditNote   Entity = "credit_note"
	EntityDispute      Entity = "dispute"
)

// customPrefixEntity begins the name of an entity that a configuration makes
// up for a vendor's custom objects: "x_machine". Such an entity has the fields
// of CustomObject.
const customPrefixEntity = "x_"

// maxCustomEntity keeps external keys within every vendor's limits; see
// ExternalKey.
const maxCustomEntity = 28

// Custom reports whether e is an entity of custom objects: "x_" and then
// lower-case letters, digits and underscores, at most 28 characters in all.
func (e Entity) Custom() bool {
	name, ok := strings.CutPrefix(string(e), customPrefixEntity)
	return ok && name != "" && len(e) <= maxCustomEntity && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}

// Company is an organisation that buys.
type Company struct {
	Name     string         `json:"name,omitempty" doc:"Legal or trading name"`
	Domain   string         `json:"domain,omitempty" doc:"Web domain, lower case, without scheme"`
	Email    string         `json:"email,omitempty" doc:"Billing address for mail"`
	Phone    string         `json:"phone,omitempty"`
	Street   string         `json:"street,omitempty"`
	City     string         `json:"city,omitempty"`
	State    string         `json:"state,omitempty"`
	Zip      string         `json:"zip,omitempty"`
	Country  string         `json:"country,omitempty" doc:"Country as the source writes it"`
	TaxID    string         `json:"taxId,omitempty"`
	Currency string         `json:"currency,omitempty" doc:"ISO 4217 code the company is billed in"`
	Custom   map[string]any `json:"custom,omitempty"`
}

// Contact is a person.
type Contact struct {
	FirstName string         `json:"firstName,omitempty"`
	LastName  string         `json:"lastName,omitempty"`
	Email     string         `json:"email,omitempty"`
	Phone     string         `json:"phone,omitempty"`
	Company   Link           `json:"company,omitzero" doc:"Employer"`
	Custom    map[string]any `json:"custom,omitempty"`
}

// Product is something that is sold.
type Product struct {
	Name        string         `json:"name,omitempty"`
	SKU         string         `json:"sku,omitempty"`
	Description string         `json:"description,omitempty"`
	Price       Money          `json:"price,omitzero" doc:"List price of one unit"`
	Cost        Money          `json:"cost,omitzero" doc:"What one unit costs the seller"`
	Kind        string         `json:"kind,omitempty" doc:"service, inventory or noninventory"`
	TaxCode     string         `json:"taxCode,omitempty" doc:"Tax code as the source names it"`
	Active      bool           `json:"active,omitempty"`
	Custom      map[string]any `json:"custom,omitempty"`
}

// Line is one position of a deal, order or invoice.
type Line struct {
	ID       string  `json:"id,omitempty" doc:"Id of the line at its source"`
	Product  Link    `json:"product,omitzero"`
	Name     string  `json:"name,omitempty"`
	SKU      string  `json:"sku,omitempty"`
	Quantity Decimal `json:"quantity,omitzero"`
	Price    Money   `json:"price,omitzero" doc:"Price of one unit, before tax"`
	Amount   Money   `json:"amount,omitzero" doc:"Price times quantity less discount, before tax"`
	TaxCode  string  `json:"taxCode,omitempty" doc:"Tax code as the source names it"`
	Tax      Money   `json:"tax,omitzero" doc:"Tax on the amount, where the source tells it by line"`
}

// Applied is the part of a payment or credit that settles one invoice.
type Applied struct {
	Invoice Link  `json:"invoice,omitzero" doc:"What is settled; resolves to the record that the invoice was made for"`
	Amount  Money `json:"amount,omitzero" doc:"How much of it"`
}

// Deal is an opportunity to sell, the hub's central object.
type Deal struct {
	Name      string         `json:"name,omitempty"`
	Amount    Money          `json:"amount,omitzero"`
	Pipeline  string         `json:"pipeline,omitempty"`
	Stage     string         `json:"stage,omitempty" doc:"Stage id at the source"`
	Won       bool           `json:"won,omitempty" doc:"True in a stage that counts as won"`
	Lost      bool           `json:"lost,omitempty"`
	CloseDate Date           `json:"closeDate,omitempty" format:"date"`
	Company   Link           `json:"company,omitzero" doc:"Who buys"`
	Contact   Link           `json:"contact,omitzero" doc:"Primary contact"`
	Lines     []Line         `json:"lines,omitempty"`
	Custom    map[string]any `json:"custom,omitempty"`
}

// Order is a firm order.
type Order struct {
	Number   string         `json:"number,omitempty"`
	Status   string         `json:"status,omitempty"`
	Total    Money          `json:"total,omitzero"`
	Tax      Money          `json:"tax,omitzero" doc:"Part of the total that is tax"`
	PlacedOn Date           `json:"placedOn,omitempty" format:"date"`
	Company  Link           `json:"company,omitzero"`
	Contact  Link           `json:"contact,omitzero"`
	Deal     Link           `json:"deal,omitzero"`
	Lines    []Line         `json:"lines,omitempty"`
	Custom   map[string]any `json:"custom,omitempty"`
}

// Invoice is a demand for payment.
type Invoice struct {
	Number     string         `json:"number,omitempty"`
	Status     string         `json:"status,omitempty" doc:"draft, open, paid, void or uncollectible"`
	Total      Money          `json:"total,omitzero"`
	Tax        Money          `json:"tax,omitzero" doc:"Part of the total that is tax"`
	AmountPaid Money          `json:"amountPaid,omitzero"`
	AmountDue  Money          `json:"amountDue,omitzero"`
	IssuedOn   Date           `json:"issuedOn,omitempty" format:"date"`
	DueOn      Date           `json:"dueOn,omitempty" format:"date"`
	Company    Link           `json:"company,omitzero"`
	Contact    Link           `json:"contact,omitzero"`
	Deal       Link           `json:"deal,omitzero"`
	Order      Link           `json:"order,omitzero"`
	Lines      []Line         `json:"lines,omitempty"`
	Memo       string         `json:"memo,omitempty"`
	URL        string         `json:"url,omitempty" doc:"Page where the customer sees and pays it"`
	Custom     map[string]any `json:"custom,omitempty"`
}

// Payment is money received.
type Payment struct {
	Amount     Money          `json:"amount,omitzero"`
	Status     string         `json:"status,omitempty" doc:"succeeded, pending, failed or canceled"`
	ReceivedOn Date           `json:"receivedOn,omitempty" format:"date"`
	Method     string         `json:"method,omitempty"`
	Reference  string         `json:"reference,omitempty" doc:"Id of the money movement at the processor"`
	Company    Link           `json:"company,omitzero" doc:"Who paid"`
	Invoice    Link           `json:"invoice,omitzero" doc:"What it pays, where that is one invoice; resolves to the record that the invoice was made for"`
	Applied    []Applied      `json:"applied,omitempty" doc:"What it pays, invoice by invoice"`
	Custom     map[string]any `json:"custom,omitempty"`
}

// Refund is money given back.
type Refund struct {
	Amount     Money          `json:"amount,omitzero"`
	Status     string         `json:"status,omitempty"`
	RefundedOn Date           `json:"refundedOn,omitempty" format:"date"`
	Reason     string         `json:"reason,omitempty"`
	Payment    Link           `json:"payment,omitzero"`
	Invoice    Link           `json:"invoice,omitzero" doc:"The invoice that had been paid; resolves to the record that it was made for"`
	Company    Link           `json:"company,omitzero" doc:"Who gets it"`
	Method     string         `json:"method,omitempty"`
	Reference  string         `json:"reference,omitempty" doc:"Id of the money movement at the processor"`
	Custom     map[string]any `json:"custom,omitempty"`
}

// Quote is an offer to sell.
type Quote struct {
	Number    string         `json:"number,omitempty"`
	Name      string         `json:"name,omitempty"`
	Status    string         `json:"status,omitempty" doc:"draft, open, accepted, rejected, expired or canceled"`
	Total     Money          `json:"total,omitzero"`
	IssuedOn  Date           `json:"issuedOn,omitempty" format:"date"`
	ExpiresOn Date           `json:"expiresOn,omitempty" format:"date"`
	Company   Link           `json:"company,omitzero"`
	Contact   Link           `json:"contact,omitzero"`
	Deal      Link           `json:"deal,omitzero"`
	Lines     []Line         `json:"lines,omitempty"`
	URL       string         `json:"url,omitempty" doc:"Page where the customer sees and accepts it"`
	Custom    map[string]any `json:"custom,omitempty"`
}

// CreditNote takes back an invoice or a part of it.
type CreditNote struct {
	Number    string         `json:"number,omitempty"`
	Status    string         `json:"status,omitempty" doc:"open, applied or void"`
	Total     Money          `json:"total,omitzero"`
	Remaining Money          `json:"remaining,omitzero" doc:"Part that no invoice has used up"`
	IssuedOn  Date           `json:"issuedOn,omitempty" format:"date"`
	Reason    string         `json:"reason,omitempty"`
	Company   Link           `json:"company,omitzero"`
	Invoice   Link           `json:"invoice,omitzero" doc:"What it takes back; resolves to the record that the invoice was made for"`
	Refund    Link           `json:"refund,omitzero" doc:"The refund that it was issued for"`
	Applied   []Applied      `json:"applied,omitempty" doc:"What it settles, invoice by invoice"`
	Lines     []Line         `json:"lines,omitempty"`
	Custom    map[string]any `json:"custom,omitempty"`
}

// Dispute is a payment that the payer's bank wants back.
type Dispute struct {
	Amount     Money          `json:"amount,omitzero"`
	Status     string         `json:"status,omitempty" doc:"inquiry, open, won, lost or closed"`
	Reason     string         `json:"reason,omitempty"`
	OpenedOn   Date           `json:"openedOn,omitempty" format:"date"`
	RespondBy  Date           `json:"respondBy,omitempty" format:"date"`
	FundsTaken bool           `json:"fundsTaken,omitempty" doc:"True while the money is withdrawn from the seller"`
	Reference  string         `json:"reference,omitempty" doc:"Id at the processor"`
	Payment    Link           `json:"payment,omitzero"`
	Invoice    Link           `json:"invoice,omitzero" doc:"The invoice that had been paid; resolves to the record that it was made for"`
	Company    Link           `json:"company,omitzero"`
	Custom     map[string]any `json:"custom,omitempty"`
}

// CustomObject is a record of a kind that the configuration makes up. What is
// particular to the kind stands in Custom.
type CustomObject struct {
	Name    string         `json:"name,omitempty"`
	Company Link           `json:"company,omitzero"`
	Contact Link           `json:"contact,omitzero"`
	Deal    Link           `json:"deal,omitzero"`
	Custom  map[string]any `json:"custom,omitempty"`
}

// Subscription is a recurring sale.
type Subscription struct {
	Status      string         `json:"status,omitempty"`
	Amount      Money          `json:"amount,omitzero" doc:"Price of one period"`
	Interval    string         `json:"interval,omitempty" doc:"day, week, month or year"`
	StartedOn   Date           `json:"startedOn,omitempty" format:"date"`
	PeriodEndOn Date           `json:"periodEndOn,omitempty" format:"date"`
	Company     Link           `json:"company,omitzero"`
	Lines       []Line         `json:"lines,omitempty"`
	Custom      map[string]any `json:"custom,omitempty"`
}

// Date is a calendar day, "2006-01-02", without a time zone.
type Date = string

// Kind is the type of a canonical field.
type Kind string

// The kinds of canonical fields.
const (
	KindString  Kind = "string"
	KindBool    Kind = "bool"
	KindDecimal Kind = "decimal"
	KindMoney   Kind = "money"
	KindTime    Kind = "time"
	KindLink    Kind = "link"
	KindLines   Kind = "lines"   // a list of Line
	KindApplied Kind = "applied" // a list of Applied
	KindCustom  Kind = "custom"
)

// FieldType describes one field of a canonical entity.
type FieldType struct {
	Name string
	Kind Kind
	Doc  string
	// Format narrows a KindString: FormatDate, or "" for any text.
	Format string
}

// FormatDate is the Format of a Date field.
const FormatDate = "date"

// canonical lists the Go type behind each entity.
var canonical = map[Entity]reflect.Type{
	EntityCompany:      reflect.TypeFor[Company](),
	EntityContact:      reflect.TypeFor[Contact](),
	EntityProduct:      reflect.TypeFor[Product](),
	EntityDeal:         reflect.TypeFor[Deal](),
	EntityOrder:        reflect.TypeFor[Order](),
	EntityInvoice:      reflect.TypeFor[Invoice](),
	EntityPayment:      reflect.TypeFor[Payment](),
	EntityRefund:       reflect.TypeFor[Refund](),
	EntitySubscription: reflect.TypeFor[Subscription](),
	EntityQuote:        reflect.TypeFor[Quote](),
	EntityCreditNote:   reflect.TypeFor[CreditNote](),
	EntityDispute:      reflect.TypeFor[Dispute](),
}

// Entities returns the canonical entities in alphabetical order, without those
// of custom objects.
func Entities() []Entity {
	all := make([]Entity, 0, len(canonical))
	for e := range canonical {
		all = append(all, e)
	}
	slices.Sort(all)
	return all
}

// Known reports whether e is a canonical entity or one of custom objects.
func (e Entity) Known() bool { return e.GoType() != nil }

// GoType returns the Go struct of an entity, for generators. It is nil for an
// unknown entity.
func (e Entity) GoType() reflect.Type {
	if e.Custom() {
		return customObject
	}
	return canonical[e]
}

var customObject = reflect.TypeFor[CustomObject]()

// fieldTypes caches the reflected fields; the map is built once and read-only.
var fieldTypes = sync.OnceValue(func() map[Entity]map[string]FieldType {
	all := make(map[Entity]map[string]FieldType, len(canonical))
	for e, t := range canonical {
		all[e] = structFields(t)
	}
	all[customPrefixEntity] = structFields(customObject)
	return all
})

// itemTypes are the Go types behind the kinds of lists.
var itemTypes = map[Kind]reflect.Type{KindLines: reflect.TypeFor[Line](), KindApplied: reflect.TypeFor[Applied]()}

var itemFields = sync.OnceValue(func() map[Kind]map[string]FieldType {
	all := make(map[Kind]map[string]FieldType, len(itemTypes))
	for k, t := range itemTypes {
		all[k] = structFields(t)
	}
	return all
})

// Fields returns the fields of the entity by name. The map must not be changed.
func (e Entity) Fields() map[string]FieldType {
	if e.Custom() {
		return fieldTypes()[customPrefixEntity]
	}
	return fieldTypes()[e]
}

// ItemType returns the Go struct of the items of a list kind; nil for another
// kind.
func (k Kind) ItemType() reflect.Type { return itemTypes[k] }

// ItemFields returns the fields of the items of a list kind by name; nil for
// another kind. The map must not be changed.
func (k Kind) ItemFields() map[string]FieldType { return itemFields()[k] }

// ItemName is what one item of a list kind is called: line, or allocation.
func (k Kind) ItemName() string {
	if k == KindApplied {
		return "allocation"
	}
	return "line"
}

func structFields(t reflect.Type) map[string]FieldType {
	fields := make(map[string]FieldType, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = FieldType{Name: name, Kind: kindOf(f.Type), Doc: f.Tag.Get("doc"), Format: f.Tag.Get("format")}
	}
	return fields
}

func kindOf(t reflect.Type) Kind {
	switch t {
	case reflect.TypeFor[Money]():
		return KindMoney
	case reflect.TypeFor[Decimal]():
		return KindDecimal
	case reflect.TypeFor[Link]():
		return KindLink
	case reflect.TypeFor[[]Line]():
		return KindLines
	case reflect.TypeFor[[]Applied]():
		return KindApplied
	case reflect.TypeFor[time.Time]():
		return KindTime
	}
	switch t.Kind() {
	case reflect.Bool:
		return KindBool
	case reflect.Map:
		return KindCustom
	default:
		return KindString
	}
}
