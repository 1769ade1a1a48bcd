package netsuite

import (
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// source is how objects of one type are read by SuiteQL.
type source struct {
	object string
	entity events.Entity
	// table and its alias, joins to others, and a condition of the type.
	table, alias, joins, where string
	// modified is the column of the date of the last change.
	modified string
	columns  []string
	// size is how many objects a page has.
	size int
	// lines and links are read for the objects of a page.
	lines, links bool
	custom       *CustomRecord
}

// lineSize is how many objects a page has whose lines are read too.
const lineSize = 200

// sources are the types that are read, by object.
func (s *Settings) sources() map[string]source {
	all := map[string]source{}
	for _, src := range s.sourceList() {
		src.size = s.size(src.size)
		all[src.object] = src
	}
	return all
}

// size is how many objects a page has that may have so many.
func (s *Settings) size(most int) int {
	if s.PageRows > 0 {
		return min(s.PageRows, most)
	}
	return most
}

func (s *Settings) sourceList() []source {
	money := func(columns ...string) []string {
		if s.Currency == "" { // an account of one currency has no such column
			columns = append(columns, "currency")
		}
		return columns
	}
	sale := func(object, code string, entity events.Entity, links bool, columns ...string) source {
		return source{
			object: object, entity: entity, table: "transaction", alias: "t", where: "t.type = " + quote(code), modified: "lastmodifieddate",
			columns: money(append([]string{"externalid", "tranid", "trandate", "entity", "foreigntotal", "status", "memo"}, columns...)...),
			size:    lineSize, lines: true, links: links,
		}
	}
	payment := sale(typePayment, "CustPymt", events.EntityPayment, true)
	payment.lines = false
	refund := sale(typeRefund, "CustRfnd", events.EntityRefund, false)
	refund.lines = false
	list := []source{
		{
			object: typeCustomer, entity: events.EntityCompany, table: "customer", alias: "t", modified: "lastmodifieddate", size: pageRows,
			joins:   " LEFT JOIN entityaddress a ON a.nkey = t.defaultbillingaddress",
			columns: money("externalid", "entityid", "isperson", "companyname", "firstname", "lastname", "email", "phone", "url", "a.addr1", "a.city", "a.state", "a.zip", "a.country"),
		},
		{
			object: typeContact, entity: events.EntityContact, table: "contact", alias: "t", modified: "lastmodifieddate", size: pageRows,
			columns: []string{"externalid", "entityid", "firstname", "lastname", "email", "phone", "company"},
		},
		{
			object: typeItem, entity: events.EntityProduct, table: "item", alias: "t", modified: "lastmodifieddate", size: pageRows,
			columns: []string{"externalid", "itemid", "displayname", "description", "itemtype", "isinactive", "cost"},
		},
		sale(typeOrder, "SalesOrd", events.EntityOrder, false),
		sale(typeInvoice, "CustInvc", events.EntityInvoice, true, "duedate", "foreignamountunpaid"),
		payment,
		sale(typeCredit, "CustCred", events.EntityCreditNote, true, "foreignamountunpaid"),
		refund,
	}
	for i := range s.CustomRecords {
		c := &s.CustomRecords[i]
		src := source{
			object: c.Type, entity: c.Entity, table: c.Type, alias: "t", modified: "lastmodified", size: pageRows, custom: c,
			columns: []string{"externalid", "name"},
		}
		for _, f := range c.Fields {
			src.columns = append(src.columns, f.Name)
		}
		list = append(list, src)
	}
	return list
}

// selection is the query without its conditions.
func (s source) selection() string {
	columns := []string{s.alias + ".id", "TO_CHAR(" + s.alias + "." + s.modified + ", " + dateMask + ") AS modified"}
	for _, c := range s.columns {
		switch {
		case c == "trandate" || c == "duedate":
			c = "TO_CHAR(" + s.alias + "." + c + ", " + dayMask + ") AS " + c
		case s.custom != nil && s.custom.isDate(c):
			c = "TO_CHAR(" + s.alias + "." + c + ", " + dayMask + ") AS " + c
		case !strings.Contains(c, "."):
			c = s.alias + "." + c
		}
		columns = append(columns, c)
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + s.table + " " + s.alias + s.joins
}

func (c *CustomRecord) isDate(name string) bool {
	for _, f := range c.Fields {
		if f.Name == name {
			return f.Type == "date"
		}
	}
	return false
}

// conditions joins conditions, and leaves out empty ones.
func conditions(all ...string) string {
	var kept []string
	for _, c := range all {
		if c != "" {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(kept, " AND ")
}

// feedDeleted is the feed of NetSuite's table of deletions.
const feedDeleted = "deletedrecord"

// feeds declares what Scanner yields.
func (s *Settings) feeds() []connector.Feed {
	var all []connector.Feed
	deleted := connector.Feed{Name: feedDeleted, Poll: true, Every: feedEvery, Overlap: feedOverlap}
	for _, src := range s.sourceList() {
		f := connector.Feed{
			Name: src.object, Objects: []string{src.object}, Backfill: true, Poll: true, Every: feedEvery, Overlap: feedOverlap,
		}
		if src.settles() { // which changes what the invoice has open
			f.Objects = append(f.Objects, typeInvoice)
		}
		all = append(all, f)
		deleted.Objects = append(deleted.Objects, src.object)
	}
	return append(all, deleted)
}

// settles reports whether objects of the type are applied to invoices.
func (s source) settles() bool { return s.object == typePayment || s.object == typeCredit }
