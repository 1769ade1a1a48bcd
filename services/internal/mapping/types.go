package mapping

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/spoke-sync/spoke/events"
)

// The CEL types of Spoke's values. Money, lines, links and entities are
// objects with fields; decimals are objects without any, and references are
// opaque.
var (
	decimalType = cel.ObjectType("decimal",
		traits.AdderType|traits.SubtractorType|traits.MultiplierType|traits.ComparerType)
	moneyType  = cel.ObjectType("money", traits.AdderType|traits.SubtractorType|traits.MultiplierType)
	refType    = cel.OpaqueType("ref")
	linkType   = cel.ObjectType("link")
	recordType = cel.ObjectType("record")
	syncType   = cel.ObjectType("sync")
	docsType   = cel.ObjectType("docs")
)

// celType is the CEL type of a canonical field.
func celType(k events.Kind) *cel.Type {
	switch k {
	case events.KindBool:
		return cel.BoolType
	case events.KindDecimal:
		return decimalType
	case events.KindMoney:
		return moneyType
	case events.KindTime:
		return cel.TimestampType
	case events.KindLink:
		return linkType
	case events.KindLines, events.KindApplied:
		return cel.ListType(itemType(k))
	case events.KindCustom:
		return cel.MapType(cel.StringType, cel.DynType)
	default:
		return cel.StringType
	}
}

// itemType is the CEL type of the items of a list kind.
func itemType(k events.Kind) *cel.Type { return cel.ObjectType(k.ItemName()) }

// customType names the type that all entities of custom objects share. It can
// be taken for no expression.
const customType = "x:"

// typeSystem tells CEL the fields of every object type: the canonical
// entities, and docs.<connection>.<object> for the configured connections.
type typeSystem struct {
	*types.Registry
	objects map[string]map[string]*types.FieldType
}

// System describes the configured connections to the mapping: their names
// and the kinds of objects each one has.
type System struct {
	Connections map[string][]Object // by connection name
}

// Object is one object type of a connection.
type Object struct {
	Name   string
	Entity events.Entity
}

func newTypeSystem(s System) (*typeSystem, error) {
	r, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	ts := &typeSystem{Registry: r, objects: map[string]map[string]*types.FieldType{}}
	for _, e := range events.Entities() {
		ts.define(string(e), entityFields(e.Fields()))
	}
	ts.define(customType, entityFields(events.Entity("x_any").Fields()))
	for _, k := range []events.Kind{events.KindLines, events.KindApplied} {
		ts.define(k.ItemName(), entityFields(k.ItemFields()))
	}
	ts.define("money", map[string]*cel.Type{"amount": decimalType, "currency": cel.StringType})
	ts.define("decimal", nil)
	ts.define("link", map[string]*cel.Type{"id": cel.StringType, "entity": cel.StringType})
	ts.define("record", map[string]*cel.Type{"id": cel.StringType, "entity": cel.StringType})
	ts.define("sync", map[string]*cel.Type{"state": cel.StringType, "detail": cel.StringType})
	ts.defineDocs(s)
	return ts, nil
}

func entityFields(fields map[string]events.FieldType) map[string]*cel.Type {
	out := make(map[string]*cel.Type, len(fields))
	for name, f := range fields {
		out[name] = celType(f.Kind)
	}
	return out
}

// defineDocs gives docs one field per connection, that one field per object
// type, and that the fields of the canonical entity plus what every document
// has.
func (ts *typeSystem) defineDocs(s System) {
	docs := make(map[string]*cel.Type, len(s.Connections))
	for conn, objects := range s.Connections {
		name := docType(conn, "")
		docs[conn] = cel.ObjectType(name)
		fields := make(map[string]*cel.Type, len(objects))
		for _, o := range objects {
			doc := docType(conn, o.Name)
			fields[o.Name] = cel.ObjectType(doc)
			f := entityFields(o.Entity.Fields())
			for _, extra := range []string{"id", "number", "url", "state"} {
				f[extra] = cel.StringType
			}
			ts.define(doc, f)
		}
		ts.define(name, fields)
	}
	ts.define("docs", docs)
}

// docType names the type of docs.<connection> or docs.<connection>.<object>.
// A colon keeps it from being taken for an expression.
func docType(connection, object string) string {
	if object == "" {
		return "docs:" + connection
	}
	return "docs:" + connection + ":" + object
}

func (ts *typeSystem) define(name string, fields map[string]*cel.Type) {
	m := make(map[string]*types.FieldType, len(fields))
	for f, t := range fields {
		m[f] = &types.FieldType{Type: t, IsSet: isSet(f), GetFrom: getFrom(f)}
	}
	ts.objects[name] = m
}

// fielder is a Go value behind a CEL object.
type fielder interface {
	field(name string) (ref.Val, bool)
}

// errAbsent is what selecting a field without a value ends in. A flow leaves
// out the field whose expression met it.
var errAbsent = errors.New("absent")

func isSet(name string) ref.FieldTester {
	return func(target any) bool {
		f, ok := target.(fielder)
		if !ok {
			return false
		}
		_, ok = f.field(name)
		return ok
	}
}

func getFrom(name string) ref.FieldGetter {
	return func(target any) (any, error) {
		if f, ok := target.(fielder); ok {
			if v, ok := f.field(name); ok {
				return v, nil
			}
		}
		return nil, errAbsent
	}
}

// fieldsOf returns the fields of one of our object types.
func (ts *typeSystem) fieldsOf(name string) (map[string]*types.FieldType, bool) {
	if events.Entity(name).Custom() {
		name = customType
	}
	fields, ok := ts.objects[name]
	return fields, ok
}

// FindStructType implements types.Provider.
func (ts *typeSystem) FindStructType(name string) (*types.Type, bool) {
	if _, ok := ts.fieldsOf(name); ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return ts.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (ts *typeSystem) FindStructFieldNames(name string) ([]string, bool) {
	if fields, ok := ts.fieldsOf(name); ok {
		return slices.Sorted(maps.Keys(fields)), true
	}
	return ts.Registry.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (ts *typeSystem) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ok := ts.fieldsOf(name); ok {
		f, ok := fields[field]
		return f, ok
	}
	return ts.Registry.FindStructFieldType(name, field)
}

// describe names a CEL type as a flow's author knows it.
func describe(t *cel.Type) string {
	return strings.ReplaceAll(t.String(), ":", ".")
}
