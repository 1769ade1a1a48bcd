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

// Flow is a compiled flow.
type Flow struct {
	Name       string
	File       string
	From       events.Entity
	Connection string
	Object     connector.Object
	// Existing is true when the flow only writes objects that exist at the
	// connection already: those of the hub, unless the flow says create: true.
	Existing bool
	OnLeave  Leave

	when   cel.Program // nil for always
	fields []field
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

// Find returns a flow by name.
func (s *Set) Find(name string) (*Flow, bool) {
	all := s.All()
	i := slices.IndexFunc(all, func(f *Flow) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// DocKey is where the flow's object stands in Record.Docs and Record.Wanted.
func (f *Flow) DocKey() string { return events.DocKey(f.Connection, f.Object.Name) }
