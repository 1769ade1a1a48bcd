package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// properties creates the properties that Spoke writes to.
type properties struct {
	api *api
	// turn lets one Apply at a time create properties, so that two do not
	// meet over the same one.
	turn chan struct{}
	// keyed are the kinds that are known to have the key property.
	keyed sync.Map
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
	// HasUniqueValue lets records be found and written by the property.
	HasUniqueValue bool `json:"hasUniqueValue,omitempty"`
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
			return mayNot(err, k, names)
		}
		err = p.post(ctx, "create a property of "+k.plural, p.api.properties(k, ""), define(k, name))
	}
	return mayNot(err, k, names)
}

// mayNot says which properties a token would have to create that may not
// create any.
func mayNot(err error, k kind, names []string) error {
	if !missingScope(err) {
		return err
	}
	e := fault.As(err)
	return e.WithField(names[0]).WithHint(strings.TrimSuffix(e.Hint, " in HubSpot") + " in HubSpot, or create there by hand, for " + k.plural +
		" in the group Spoke: " + strings.Join(names, ", "))
}

// ensureKey makes sure that records of the kind can carry Spoke's key. It asks
// once per kind.
func (p *properties) ensureKey(ctx context.Context, k kind) error {
	if p.hasKey(k) {
		return nil
	}
	there, err := p.findKey(ctx, k)
	if err == nil && !there {
		err = p.create(ctx, k, []string{keyProperty})
	}
	if err == nil {
		p.keyed.Store(k.name, true)
	}
	return err
}

func (p *properties) hasKey(k kind) bool {
	_, ok := p.keyed.Load(k.name)
	return ok
}

// findKey looks the property up. One of that name whose values are not unique
// can't be used.
func (p *properties) findKey(ctx context.Context, k kind) (bool, error) {
	op := "find the property " + keyProperty + " of " + k.plural
	var d struct {
		Name   string `json:"name"`
		Unique bool   `json:"hasUniqueValue"`
	}
	err := p.api.do(ctx, call{op: op, method: http.MethodGet, path: p.api.properties(k, "/"+keyProperty), out: &d})
	switch {
	case isNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	case d.Name != keyProperty:
		return false, garbled("hubspot: "+op, http.StatusOK)
	case !d.Unique:
		return false, fault.New(fault.Rejected, "hubspot: "+op, "its values are not unique").WithCode("NOT_UNIQUE").WithField(keyProperty).
			WithHint("delete the property in HubSpot's settings: Spoke creates it as it must be")
	}
	return true, nil
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
	if name == keyProperty {
		d.Description, d.HasUniqueValue = "Spoke's key of the record; set by Spoke, not to be changed", true
		return d
	}
	fields := append(declared[k.name], text("spoke_sync_state", "Whether the other systems hold the record: failed, waiting, pending or synced"))
	i := slices.IndexFunc(fields, func(f connector.Field) bool { return f.Name == name })
	if i < 0 {
		return d
	}
	d.Description = fields[i].Doc
	switch fields[i].Type {
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
