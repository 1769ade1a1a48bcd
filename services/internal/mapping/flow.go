package mapping

import (
	"maps"
	"slices"

	"cel.dev/cel-go/cel"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Leave says what happens at the vendor when a flow's condition stops
// holding.
type Leave string

// The ways to leave.
const (
	LeaveKeep   Leave = "keep"
	LeaveVoid   Leave = "void"
	LeaveDelete Leave = "delete"
)

// Flow is a compiled flow as it writes to one connection. A flow that names
// several is one Flow for each of them, under one name.
type Flow struct {
	Name string
	File string
	// Place is where the flow begins, for problems that show later.
	Place Diagnostic
	// Default is true for a flow that a connector brings.
	Default    bool
	From       events.Entity
	Connection string
	// To are all connections of the flow, in its order. Where there are
	// several, either Route chooses one of them for each record, or the flow is
	// OnDemand.
	To []string
	// OnDemand is true when an object is only wanted at a connection once a
	// document of that connection refers to it.
	OnDemand bool
	Object   connector.Object
	// Existing is true when the flow only writes objects that exist at the
	// connection already: those of the hub, unless the flow says create: true.
	Existing bool
	OnLeave  Leave

	when   cel.Program // nil for always
	route  cel.Program // nil unless one of To has to be chosen
	fields []field
	reads  reads
	kinds  kindNames
}

// field is one compiled field.
type field struct {
	name string
	typ  connector.Field
	// value is set for a plain field.
	value cel.Program
	// each, loop and fields are set for a list.
	each   cel.Program
	loop   string
	fields []field
}

// Target is a connection that flows may write to.
type Target struct {
	Name string
	Kind connector.Kind
}

// Set is every flow of a configuration, by entity.
type Set struct {
	flows map[events.Entity][]*Flow
}

// For returns the flows of an entity, in a fixed order.
func (s *Set) For(e events.Entity) []*Flow {
	if s == nil {
		return nil
	}
	return s.flows[e]
}

// All returns every flow, by entity and then in order of loading.
func (s *Set) All() []*Flow {
	var all []*Flow
	for _, e := range slices.Sorted(maps.Keys(s.flows)) {
		all = append(all, s.flows[e]...)
	}
	return all
}

// Without returns the set without the flows that drop chooses.
func (s *Set) Without(drop func(*Flow) bool) *Set {
	left := &Set{flows: map[events.Entity][]*Flow{}}
	for e, flows := range s.flows {
		left.flows[e] = slices.DeleteFunc(slices.Clone(flows), drop)
	}
	return left
}

// Find returns a flow by name: that to its first connection.
func (s *Set) Find(name string) (*Flow, bool) {
	all := s.Named(name)
	if len(all) == 0 {
		return nil, false
	}
	return all[0], true
}

// Named returns a flow once for each of its connections.
func (s *Set) Named(name string) []*Flow {
	return slices.DeleteFunc(s.All(), func(f *Flow) bool { return f.Name != name })
}

// OnDemand reports whether an object type of a connection is only written once
// a document there refers to it.
func (s *Set) OnDemand(connection, object string) bool {
	return s != nil && slices.ContainsFunc(s.All(), func(f *Flow) bool {
		return f.OnDemand && f.Connection == connection && f.Object.Name == object
	})
}

// DocKey is where the flow's object stands in Record.Docs and Record.Wanted.
func (f *Flow) DocKey() string { return f.DocKeyAt(f.Connection) }

// DocKeyAt is DocKey at another one of the flow's connections.
func (f *Flow) DocKeyAt(connection string) string { return events.DocKey(connection, f.Object.Name) }

// Routed reports whether Route chooses the connection.
func (f *Flow) Routed() bool { return f.route != nil }
