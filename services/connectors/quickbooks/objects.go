package quickbooks

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

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
	// void is how a transaction is voided; empty where it can only be deleted.
	void string
	// page is the page for people below the app's address.
	page string

	// build makes the fields that a document asks for. It makes no call.
	build func(t *target, doc connector.Document) (body, error)
	// create completes what build made for an object that does not exist.
	create func(ctx context.Context, t *target, want body) error
	// patch returns what of want the current object lacks.
	patch func(t *target, doc connector.Document, want, current body) body
	// repeats adds what QuickBooks takes away unless a change repeats it.
	repeats func(patch, want, current body)
	// after returns the write that follows once the object is as it should be.
	after func(ctx context.Context, t *target, doc connector.Document, want, current body) (*step, error)
	// find returns the object that stands for the document, or nil.
	find func(ctx context.Context, t *target, doc connector.Document, want body) (body, error)
	// precheck is find for before a create: an object that people made and
	// that is to be taken over. Nil makes no call.
	precheck func(ctx context.Context, t *target, doc connector.Document, want body) (body, error)
	// read fills in the canonical fields.
	read func(s *Settings, b body, f events.Fields)
	// links fills in the canonical links and what holds links.
	links func(s *Settings, b body, link linker, f events.Fields)
}

// linker makes a link to another object of the company.
type linker func(object, id string) events.Link

// The ways to void a transaction, each type its own.
const (
	voidByOperation = "void"
	voidByUpdate    = "update"
)

// kinds returns the object types by name. The map must not be changed.
var kinds = sync.OnceValue(func() map[string]*kind {
	all := map[string]*kind{}
	for _, k := range []*kind{
		customerKind(), itemKind(), invoiceKind(), estimateKind(), salesReceiptKind(),
		creditMemoKind(), refundReceiptKind(), paymentKind(),
	} {
		all[k.name] = k
	}
	return all
})

func kindNames() string { return strings.Join(slices.Sorted(maps.Keys(kinds())), ", ") }

// key names an object among those of all types.
func (k *kind) key(id string) string { return k.path + "/" + id }

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
