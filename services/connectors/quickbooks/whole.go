package quickbooks

import (
	"encoding/json"

	"github.com/spoke-sync/spoke/services/internal/rest"
)

// inner returns the Fault that stands within a part of an answer, or nil. Each
// QueryResponse and CDCResponse may hold one in the place of its objects, with
// status 200. Source: IntuitRestServiceDef.xsd. Taken for an empty list it would
// tell of deletions, or that an object which is there has yet to be made.
func (c *client) inner(r rest.Request, resp *rest.Response, part body) error {
	v, ok := part["Fault"]
	if !ok || v == nil {
		return nil
	}
	r.Op = Name + ": " + r.Op
	var f faultBody
	raw, err := json.Marshal(body{"Fault": v})
	if err != nil || json.Unmarshal(raw, &f) != nil || f.Fault == nil {
		return unreadable(r)
	}
	return f.judge(r, resp, c.connection)
}

// objectsOf returns the objects of a list field. An absent list is empty; one that
// is anything but objects is an error, for what was meant by it is lost.
func objectsOf(r rest.Request, b body, name string) ([]body, error) {
	v, ok := b[name]
	if !ok || v == nil {
		return nil, nil
	}
	l, isList := v.([]any)
	found := b.list(name)
	if !isList || len(found) != len(l) {
		r.Op = Name + ": " + r.Op
		return nil, unreadable(r)
	}
	return found, nil
}

// named is objectsOf for objects of QuickBooks, which all have an Id.
func named(r rest.Request, b body, name string) ([]body, error) {
	found, err := objectsOf(r, b, name)
	if err != nil {
		return nil, err
	}
	for _, o := range found {
		if o.text("Id") == "" {
			r.Op = Name + ": " + r.Op
			return nil, unreadable(r)
		}
	}
	return found, nil
}

// captures returns the responses of change data capture, one for each type.
func (c *client) captures(r rest.Request, resp *rest.Response, answer body) ([]body, error) {
	logs, err := objectsOf(r, answer, "CDCResponse")
	if err != nil {
		return nil, err
	}
	if len(logs) == 0 {
		r.Op = Name + ": " + r.Op
		return nil, unreadable(r)
	}
	var all []body
	for _, log := range logs {
		if err := c.inner(r, resp, log); err != nil {
			return nil, err
		}
		responses, err := objectsOf(r, log, "QueryResponse")
		if err != nil {
			return nil, err
		}
		for _, q := range responses {
			if err := c.inner(r, resp, q); err != nil {
				return nil, err
			}
		}
		all = append(all, responses...)
	}
	return all, nil
}
