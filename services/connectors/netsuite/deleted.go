package netsuite

import (
	"context"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// deletedTypes are the objects by how NetSuite's table of deletions may name
// them, in lower case and without anything but letters: its spelling differs
// between releases and languages. Types that are not here are left out.
var deletedTypes = map[string]string{
	"customer": typeCustomer, "custjob": typeCustomer, "contact": typeContact,
	"salesorder": typeOrder, "salesord": typeOrder, "invoice": typeInvoice, "custinvc": typeInvoice,
	"payment": typePayment, "customerpayment": typePayment, "custpymt": typePayment,
	"creditmemo": typeCredit, "custcred": typeCredit, "customerrefund": typeRefund, "custrfnd": typeRefund,
	"inventoryitem": typeItem, "invtpart": typeItem, "noninventoryitem": typeItem, "noninvtpart": typeItem,
	"noninventorysaleitem": typeItem, "noninventoryitemforsale": typeItem, "noninventoryforsale": typeItem,
	"service": typeItem, "serviceitem": typeItem, "servicesaleitem": typeItem, "serviceforsale": typeItem, "serviceitemforsale": typeItem,
}

// deletedObject is the object that a type of the table stands for.
func (r *reader) deletedObject(kind string) (source, bool) {
	for name, src := range r.sources {
		if src.custom != nil && (strings.EqualFold(kind, name) || kind != "" && kind == src.custom.TypeID) {
			return src, true
		}
	}
	plain := strings.Map(func(c rune) rune {
		if c < 'a' || c > 'z' {
			return -1
		}
		return c
	}, strings.ToLower(kind))
	src, ok := r.sources[deletedTypes[plain]]
	return src, ok
}

// deleted reads one page of the table of deletions.
func (r *reader) deleted(ctx context.Context, c cursor, now stand) (connector.Page, error) {
	const op = "scan " + feedDeleted
	p, err := r.api.page(ctx, op, "SELECT t.recordid, t.type, TO_CHAR(t.deleteddate, "+dateMask+") AS modified FROM deletedrecord t"+
		conditions(c.span("t.deleteddate"), c.behind("t.deleteddate", "t.recordid", "t.type"))+
		" ORDER BY t.deleteddate, t.recordid, t.type", r.settings.size(pageRows), 0)
	if err != nil {
		return connector.Page{}, err
	}
	var changes []events.Change
	for _, row := range p.rows {
		src, known := r.deletedObject(row.text("type"))
		at, ok := now.at(c).utc(row.text("modified"))
		if known && ok && digits.MatchString(row.text("recordid")) {
			changes = append(changes, r.gone(src, row.text("recordid"), at))
		}
	}
	return c.page(changes, p, op, "recordid", "type")
}
