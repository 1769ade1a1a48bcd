package main

import (
	"fmt"
	"strings"

	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// columns are what an object type may have.
var columns = []struct {
	title string
	has   func(connector.Kind, connector.Object) bool
}{
	{"create", can(connector.Create)},
	{"update", can(connector.Update)},
	{"read", can(connector.Read)},
	{"delete", can(connector.Delete)},
	{"webhook", can(connector.Webhook)},
	{"poll", func(k connector.Kind, o connector.Object) bool { return k.Polled(o.Name) }},
	{"backfill", func(k connector.Kind, o connector.Object) bool { return k.Backfilled(o.Name) }},
}

func can(a connector.Ability) func(connector.Kind, connector.Object) bool {
	return func(_ connector.Kind, o connector.Object) bool { return o.Can.Has(a) }
}

// The entity and the type of a custom object that stands for all.
const (
	customEntity = "x_example"
	customType   = "customrecord_example"
)

// full returns settings that declare a custom object and switch on what is
// off by default; nil where settings change nothing of the objects.
func full(kind string) any {
	switch kind {
	case "hubspot":
		s := hubspot.DefaultSettings()
		s.CustomObjects = map[string]hubspot.CustomObject{customEntity: {Type: "2-1", NameProperty: "name"}}
		return s
	case "netsuite":
		return &netsuite.Settings{
			Items:         &netsuite.Items{},
			CustomRecords: []netsuite.CustomRecord{{Type: customType, Entity: customEntity}},
		}
	}
	return nil
}

// tables writes a table for each kind.
func tables(kinds []connector.Kind) string {
	var out strings.Builder
	for _, k := range kinds {
		most := k
		if s := full(k.Name); k.For != nil && s != nil {
			most = k.For(s)
		}
		fmt.Fprintf(&out, "\n**%s**\n\n| object | entity |", k.Title)
		for _, c := range columns {
			fmt.Fprintf(&out, " %s |", c.title)
		}
		out.WriteString("\n|---|---|" + strings.Repeat(":---:|", len(columns)) + "\n")
		for _, o := range most.Objects {
			out.WriteString(row(k, most, o))
		}
	}
	return out.String()
}

// row is the line of one object type: plain is the kind with default settings,
// most the one with everything on.
func row(plain, most connector.Kind, o connector.Object) string {
	name, entity := "`"+o.Name+"`", "`"+string(o.Entity)+"`"
	base, always := plain.Object(o.Name)
	if o.Entity.Custom() {
		name, entity, base, always = "each declared custom type", "`x_…`", o, true
		plain = most
	}
	var out strings.Builder
	fmt.Fprintf(&out, "| %s | %s |", name, entity)
	for _, c := range columns {
		mark := ""
		switch {
		case always && c.has(plain, base):
			mark = "✓"
		case c.has(most, o):
			mark = "(✓)"
		}
		fmt.Fprintf(&out, " %s |", mark)
	}
	return strings.ReplaceAll(out.String(), "  |", " |") + "\n"
}

const (
	begin = "<!-- objects: written by make generate from what the connectors declare -->\n"
	end   = "<!-- end of objects -->\n"
)

// replace puts text between the markers of a document.
func replace(document, text string) (string, error) {
	if strings.Count(document, begin) != 1 || strings.Count(document, end) != 1 || strings.Index(document, begin) > strings.Index(document, end) {
		return "", fmt.Errorf("want the lines %q and %q once each, in this order", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	before, rest, _ := strings.Cut(document, begin)
	_, after, _ := strings.Cut(rest, end)
	return before + begin + text + "\n" + end + after, nil
}
