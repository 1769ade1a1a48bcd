package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// properties creates the properties that Spoke writes to.
type properties struct {
	api *api
	// turn lets one Apply at a time create properties, so that two do not
	// meet over the same one.
	turn chan struct{}
}

func newProperties(a *api) *properties {
	return &properties{api: a, turn: make(chan struct{}, 1)}
}

// definition is a property as HubSpot takes it.
type definition struct {
	Name        string `json:"name"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
	GroupName   string `json:"groupName"`
	Type        string `json:"type"`
	FieldType   string `json:"fieldType"`
}

// create makes the properties and the group they stand in. One that exists
// already is as good.
func (p *properties) create(ctx context.Context, k kind, names []string) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return fault.New(fault.Transient, "hubspot: create properties", "%w", ctx.Err())
	}
	group := map[string]string{"name": ownGroup, "label": "Spoke"}
	err := p.post(ctx, "create the property group of "+k.plural, p.api.properties(k, "/groups"), group)
	for _, name := range names {
		if err != nil {
			return err
		}
		err = p.post(ctx, "create a property of "+k.plural, p.api.properties(k, ""), define(k, name))
	}
	return err
}

func (p *properties) post(ctx context.Context, op, path string, body any) error {
	err := p.api.do(ctx, call{op: op, method: http.MethodPost, path: path, body: body})
	if fault.Is(err, fault.Conflict) || (err != nil && strings.Contains(fault.As(err).Code, "EXISTS")) {
		return nil
	}
	return err
}

// define describes a property after the field that is declared for it. One
// that is not is a text.
func define(k kind, name string) definition {
	d := definition{Name: name, Label: label(name), GroupName: ownGroup, Type: "string", FieldType: "text"}
	object, _ := Kind().Object(k.name)
	i := slices.IndexFunc(object.Fields, func(f connector.Field) bool { return f.Name == name })
	if i < 0 {
		return d
	}
	d.Description = object.Fields[i].Doc
	switch object.Fields[i].Type {
	case connector.FieldDecimal, connector.FieldInt, connector.FieldMoney:
		d.Type, d.FieldType = "number", "number"
	case connector.FieldDate:
		d.Type, d.FieldType = "date", "date"
	default: // a text holds anything
	}
	return d
}

// label is a name as people read it: "Spoke amount paid".
func label(name string) string {
	text := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}
