package derive

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/spoke-sync/spoke/events"
)

// The types with a JSON form of their own, once as Spoke stores them and once
// as it takes them from publishers.

const (
	plainDecimal = `^-?[0-9]+(\.[0-9]+)?$`
	anyDecimal   = `^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`
	customName   = `[A-Za-z0-9_]{1,100}`
	maxID        = 255
)

func ref(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: defsPrefix + name} }

func text(description string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: description}
}

func name(description string) *jsonschema.Schema {
	s := text(description)
	s.MinLength, s.MaxLength = jsonschema.Ptr(1), jsonschema.Ptr(maxID)
	return s
}

func enum[T ~string](values ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, v)
	}
	return s
}

// customEntity is the form of an entity of custom objects.
const customEntity = "x_[a-z0-9_]{1,26}"

func anyEntity() *jsonschema.Schema {
	custom := &jsonschema.Schema{Type: "string", Pattern: "^" + customEntity + "$"}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{enum(events.Entities()...), custom}}
}

func object(required []string, order []string, properties map[string]*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", Properties: properties, PropertyOrder: order, Required: required}
}

func closed(s *jsonschema.Schema) *jsonschema.Schema {
	s.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	return s
}

func key() *jsonschema.Schema {
	names := make([]string, 0, len(events.Entities()))
	for _, e := range events.Entities() {
		names = append(names, string(e))
	}
	s := text(`A golden record: entity/id, such as "deal/77".`)
	s.Pattern = "^(" + strings.Join(append(names, customEntity), "|") + ")/.+$"
	return s
}

// storedTypes are the types of the forms on the streams.
func storedTypes() map[reflect.Type]*jsonschema.Schema {
	instant := &jsonschema.Schema{Type: "string", Format: "date-time"}
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[time.Time]():       instant,
		reflect.TypeFor[json.RawMessage](): {},
		reflect.TypeFor[events.Key]():      ref("key"),
		reflect.TypeFor[events.Money]():    ref("money"),
		reflect.TypeFor[events.Decimal]():  ref("decimal"),
		reflect.TypeFor[events.Link]():     ref("link"),
		reflect.TypeFor[events.Fields]():   ref("fields"),
		reflect.TypeFor[map[string]any]():  ref("document"),
		reflect.TypeFor[events.Entity]():   anyEntity(),
		reflect.TypeFor[events.Op](): enum(
			events.OpChanged, events.OpDeleted, events.OpRestored, events.OpMerged, events.OpErased),
		reflect.TypeFor[events.DesiredOp](): enum(
			events.DesiredUpsert, events.DesiredVoid, events.DesiredDelete, events.DesiredNone),
		reflect.TypeFor[events.State](): enum(
			events.StateSeen, events.StateDone, events.StateHeld, events.StateQuarantined, events.StateNeeded),
		reflect.TypeFor[events.Effect](): enum(
			events.EffectCreated, events.EffectUpdated, events.EffectUnchanged, events.EffectVoided, events.EffectDeleted),
	}
}

func storedDefs() map[string]*jsonschema.Schema {
	fields := &jsonschema.Schema{
		Type: "object", Description: `Canonical values by field name; a custom field has "custom." before its name. Null means cleared.`,
		PropertyNames: &jsonschema.Schema{Pattern: `^([A-Za-z0-9]+|custom\..+)$`},
	}
	document := &jsonschema.Schema{
		Type: "object", Description: `Values by the vendor's field names; {"$ref":{"object","record"}} stands for the vendor's id of another object.`,
	}
	return map[string]*jsonschema.Schema{"key": key(), "fields": fields, "document": document}
}

// givenTypes are the types of the canonical entities as publishers write
// them.
func givenTypes() map[reflect.Type]*jsonschema.Schema {
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[events.Money]():     ref("money"),
		reflect.TypeFor[events.Decimal]():   ref("decimal"),
		reflect.TypeFor[events.Link]():      ref("link"),
		reflect.TypeFor[[]events.Line]():    {Type: "array", Items: ref(events.KindLines.ItemName())},
		reflect.TypeFor[[]events.Applied](): {Type: "array", Items: ref(events.KindApplied.ItemName())},
		reflect.TypeFor[map[string]any](): {
			Type: "object", Description: "Whatever Spoke has no field for, by name.",
			PropertyNames: &jsonschema.Schema{Pattern: "^" + customName + "$"},
		},
	}
}

func givenDefs(items map[string]*jsonschema.Schema) map[string]*jsonschema.Schema {
	decimal := &jsonschema.Schema{
		Types: []string{"string", "number"}, Pattern: anyDecimal,
		Description: "An exact number, best as a string: at most 38 digits and an exponent within ±30.",
	}
	currency := text("ISO 4217 code")
	currency.Pattern = "^[A-Za-z]{3}$"
	money := closed(object([]string{"amount", "currency"}, []string{"amount", "currency"},
		map[string]*jsonschema.Schema{"amount": ref("decimal"), "currency": currency}))
	money.Description = "An exact amount with its currency; never a bare number."
	record := key()
	link := closed(object(nil, []string{"record", "connection", "object", "id"}, map[string]*jsonschema.Schema{
		"record":     record,
		"connection": name("Whose object it is; the publisher's own when it is left out."),
		"object":     name("Type of the object there."),
		"id":         name("Id of the object there."),
	}))
	link.Description = "Another object: either a record, or the publisher's own object by type and id."
	link.OneOf = []*jsonschema.Schema{
		{Required: []string{"record"}, MaxProperties: jsonschema.Ptr(1)},
		{Required: []string{"object", "id"}, Not: &jsonschema.Schema{Required: []string{"record"}}},
	}
	defs := map[string]*jsonschema.Schema{"decimal": decimal, "money": money, "link": link}
	maps.Copy(defs, items)
	return defs
}
