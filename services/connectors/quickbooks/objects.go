package quickbooks

import (
	"context"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// kind is how one object type is written, found and read. Everything that the
// types have in common is in target.
type kind struct {
	name   string // in JSON and queries: "Invoice"
	path   string // in addresses: "invoice"
	title  string // in errors
	entity events.Entity
	// note is the field that holds Spoke's key, noteLimit its length; empty
	// where a note would show on what customers get.
	note      string
	noteLimit int
	// hidden is set where queries leave out inactive objects.
	hidden bool
	// page is the page for people below the app's address.
	page string

	// voiding is the operation that voids one; empty where QuickBooks has none.
	voiding string

	// build makes the fields that a document asks for. It makes no call.
	build func(t *target, doc connector.Document) (body, error)
	// create completes what build made for an object that does not exist.
	create func(ctx context.Context, t *target, want body) error
	// patch returns what of want the current object lacks.
	patch func(t *target, doc connector.Document, want, current body) body
	// find returns the object that stands for the document, or nil.
	find func(ctx context.Context, t *target, doc connector.Document, want body) (body, error)
	// precheck is find for before a create: an object that people made and
	// that is to be taken over. Nil makes no call.
	precheck func(ctx context.Context, t *target, doc connector.Document, want body) (body, error)
	// after does what a document asks for beside the object itself, and
	// returns the object as it then is and whether anything changed. Nil does
	// nothing.
	after func(ctx context.Context, t *target, doc connector.Document, b body) (body, bool, error)
	// read fills in the canonical fields.
	read func(s *Settings, b body, f events.Fields)
	// links fills in the canonical links.
	links func(b body, link func(object, id string) events.Link, f events.Fields)
}

// kinds returns the object types by name.
func kinds() map[string]*kind {
	all := map[string]*kind{}
	for _, k := range []*kind{
		customerKind(), itemKind(), invoiceKind(), paymentKind(),
		estimateKind(), receiptKind(), creditKind(), refundKind(),
	} {
		all[k.name] = k
	}
	return all
}

// transaction reports whether the type can be voided and deleted. The others
// are names, which can only be made inactive.
func (k *kind) transaction() bool { return !k.hidden }

// where adds to a condition that inactive names count too.
func (k *kind) where(condition string) string {
	if k.hidden {
		return condition + " AND Active IN (true, false)"
	}
	return condition
}

// url is the page of an object for people.
func (k *kind) url(app, id string) string {
	if k.page == "" || app == "" {
		return ""
	}
	return app + k.page + id
}

// differing returns the fields of want that current does not hold.
func differing(want, current body) body {
	patch := body{}
	for name, w := range want {
		if !holds(current[name], w) {
			patch[name] = w
		}
	}
	return patch
}
