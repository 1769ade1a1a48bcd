package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// Direction is which way an entity flows between Spoke and one connection.
type Direction string

// The directions.
const (
	TwoWay   Direction = "two-way" // its word counts, and it is written to
	ToOnly   Direction = "to"      // it is only written to; what it says is observed, and what differs is written back
	FromOnly Direction = "from"    // its word counts, and nothing is written to it
	NoWay    Direction = "off"     // neither
)

// UnmarshalYAML reads any text; validateDirection refuses with its place what
// is no direction.
func (d *Direction) UnmarshalYAML(b []byte) error {
	var text string
	if yaml.Unmarshal(b, &text) != nil {
		text = strings.TrimSpace(string(b))
	}
	if *d = Direction(text); text == "false" { // YAML 1.1 reads off as false
		*d = NoWay
	}
	return nil
}

// Direction returns which way an entity flows at a connection.
func (c *Config) Direction(connection string, e events.Entity) Direction {
	all := c.Connections[connection].Direction
	for _, key := range []events.Entity{e, defaultMode} {
		if d, ok := all[key]; ok {
			return d
		}
	}
	return TwoWay
}

// writes reports whether documents of an entity may go to a connection.
func (c *Config) writes(connection string, e events.Entity) bool {
	d := c.Direction(connection, e)
	return d == TwoWay || d == ToOnly
}

// validateDirection refuses a direction that the connection has no means for.
func (c *Config) validateDirection(name string, report func(string, ...any)) {
	conn := c.Connections[name]
	var known []events.Entity
	writable := map[events.Entity]bool{}
	for _, o := range conn.kind.Objects {
		known = append(known, o.Entity)
		writable[o.Entity] = writable[o.Entity] || o.Writable()
	}
	for _, e := range slices.Sorted(maps.Keys(conn.Direction)) {
		d := conn.Direction[e]
		switch {
		case d != TwoWay && d != ToOnly && d != FromOnly && d != NoWay:
			report("connections.%s.direction.%s: %q: want two-way, to, from or off", name, e, d)
		case e == defaultMode:
		case !slices.Contains(known, e):
			report("connections.%s.direction.%s: %s has no such entity: one of %s", name, e, conn.kind.Title, joinSorted(known))
		case d == ToOnly && !writable[e]:
			report("connections.%s.direction.%s: Spoke writes no such object to %s: want from or off", name, e, conn.kind.Title)
		}
	}
}

// mute takes the word from the connections that are only written to.
func (c *Config) mute(p hub.Policy) hub.Policy {
	for _, name := range c.ConnectionNames() {
		for _, o := range c.Kind(name).Objects {
			if d := c.Direction(name, o.Entity); d == ToOnly || d == NoWay {
				p = p.Mute(name, o.Entity)
			}
		}
	}
	return p
}

// directed leaves out the default flows to connections that nothing is
// written to, and refuses the configured ones.
func (c *Config) directed(set *mapping.Set) (*mapping.Set, error) {
	var problems mapping.Diagnostics
	left := set.Without(func(f *mapping.Flow) bool {
		if c.writes(f.Connection, f.Object.Entity) {
			return false
		}
		if !f.Default {
			at := f.Place
			at.Message = fmt.Sprintf("flow %s writes a %s to %s, whose direction for it is %q: see connections.%s.direction in %s",
				f.Name, f.Object.Entity, f.Connection, c.Direction(f.Connection, f.Object.Entity), f.Connection, c.file)
			problems = append(problems, at)
		}
		return true
	})
	if len(problems) > 0 {
		return nil, problems
	}
	return left, nil
}
