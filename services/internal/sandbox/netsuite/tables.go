package netsuitebox

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// transactionTypes are the codes of the table transaction.
func transactionTypes() map[string]string {
	return map[string]string{
		"salesOrder": "SalesOrd", "invoice": "CustInvc", "creditMemo": "CustCred",
		"customerPayment": "CustPymt", "customerRefund": "CustRfnd",
	}
}

// relation makes one table of the stored records.
func (b *Box) relation(name string) (relation, bool) {
	switch name {
	case "dual":
		return relation{rows: []map[string]any{{}}}, true
	case "currency":
		return b.currencyTable(), true
	case "customer", "contact":
		return b.entityTable(name), true
	case "entityaddress":
		return b.addressTable(), true
	case "item":
		return b.itemTable(), true
	case "itemprice":
		return b.priceTable(), true
	case "transaction":
		return b.transactionTable(), true
	case "transactionline":
		return b.lineTable(), true
	case "nexttransactionlinelink":
		return b.linkTable(), true
	case "deletedrecord":
		return b.deletedTable(), true
	}
	for kind := range b.opts.CustomRecords {
		if strings.EqualFold(kind, name) {
			return b.customTable(kind), true
		}
	}
	return relation{}, false
}

// cell is a stored value as a column has it: references are ids, booleans T
// and F.
func cell(v any) any {
	switch x := v.(type) {
	case bool:
		if x {
			return "T"
		}
		return "F"
	default:
		if s := identity(v); s != "" {
			return s
		}
		return nil
	}
}

// base are the columns that every record has.
func base(r *row) map[string]any {
	out := map[string]any{"id": r.ID, "lastmodifieddate": r.Modified, "isinactive": "F"}
	if r.ExternalID != "" {
		out["externalid"] = r.ExternalID
	}
	return out
}

func (b *Box) customColumns(prefix string) []string {
	var all []string
	for _, f := range b.opts.CustomFields {
		if strings.HasPrefix(f, prefix) {
			all = append(all, f)
		}
	}
	return all
}

func (b *Box) entityTable(kind string) relation {
	t := relation{columns: append([]string{
		"id", "externalid", "lastmodifieddate", "isinactive", "entityid", "firstname", "lastname", "email", "phone", "comments", "subsidiary",
	}, b.customColumns("custentity_")...)}
	if kind == "customer" {
		t.columns = append(t.columns, "companyname", "isperson", "url", "currency", "defaultbillingaddress", "terms", "category")
	} else {
		t.columns = append(t.columns, "company", "title")
	}
	for _, r := range b.rows(kind) {
		out := base(r)
		for name, v := range r.Fields {
			if c := strings.ToLower(name); slices.Contains(t.columns, c) {
				out[c] = cell(v)
			}
		}
		if kind == "customer" {
			out["isperson"] = cell(r.Fields["isPerson"] == true)
			if lines, _ := r.Fields["addressBook"].([]any); len(lines) > 0 {
				out["defaultbillingaddress"] = "9" + r.ID
			}
		}
		t.rows = append(t.rows, out)
	}
	return t
}

func (b *Box) addressTable() relation {
	t := relation{columns: []string{"nkey", "addr1", "addr2", "city", "state", "zip", "country"}}
	for _, r := range b.rows("customer") {
		lines, _ := r.Fields["addressBook"].([]any)
		for _, l := range lines {
			a, ok := l.(map[string]any)["addressBookAddress"].(map[string]any)
			if !ok {
				continue
			}
			out := map[string]any{"nkey": "9" + r.ID}
			for name, v := range a {
				out[strings.ToLower(name)] = cell(v)
			}
			t.rows = append(t.rows, out)
		}
	}
	return t
}

// itemCodes are type and subtype of the record types.
func itemCodes() map[string][2]string {
	return map[string][2]string{
		"inventoryItem": {"InvtPart", ""}, "nonInventorySaleItem": {"NonInvtPart", "Sale"}, "serviceSaleItem": {"Service", "Sale"},
	}
}

func (b *Box) itemTable() relation {
	t := relation{columns: append([]string{
		"id", "externalid", "lastmodifieddate", "isinactive", "itemid", "displayname", "description", "itemtype", "subtype", "cost",
	}, b.customColumns("custitem_")...)}
	for _, kind := range itemTypes() {
		for _, r := range b.rows(kind) {
			out := base(r)
			for name, v := range r.Fields {
				if c := strings.ToLower(name); slices.Contains(t.columns, c) {
					out[c] = cell(v)
				}
			}
			out["itemtype"] = itemCodes()[kind][0]
			if sub := itemCodes()[kind][1]; sub != "" {
				out["subtype"] = sub
			}
			t.rows = append(t.rows, out)
		}
	}
	return t
}

func (b *Box) priceTable() relation {
	t := relation{columns: []string{"item", "price", "pricelevel", "pricelevelname", "currencypage"}}
	add := func(item, level, currency string, price any) {
		t.rows = append(t.rows, map[string]any{
			"item": item, "price": cell(price), "pricelevel": level, "pricelevelname": map[bool]string{true: "Base Price", false: "Level " + level}[level == "1"],
			"currencypage": currency,
		})
	}
	for _, kind := range itemTypes() {
		for _, r := range b.rows(kind) {
			lines, _ := r.Fields["price"].([]any)
			for _, l := range lines {
				line := l.(map[string]any)
				add(r.ID, identity(line["priceLevel"]), identity(line["currencyPage"]), line["price"])
			}
			if len(lines) == 0 && r.Fields["basePrice"] != nil {
				add(r.ID, "1", "1", r.Fields["basePrice"])
			}
		}
	}
	return t
}

func (b *Box) transactionTable() relation {
	t := relation{columns: append([]string{
		"id", "externalid", "lastmodifieddate", "tranid", "trandate", "duedate", "type", "entity", "currency", "foreigntotal",
		"foreignamountunpaid", "status", "memo", "otherrefnum",
	}, b.customColumns("custbody_")...)}
	for _, r := range b.state.Rows {
		code, ok := transactionTypes()[r.Type]
		if !ok {
			continue
		}
		out, f := base(r), b.derived(r)
		for name, v := range f {
			if c := strings.ToLower(name); slices.Contains(t.columns, c) {
				out[c] = cell(v)
			}
		}
		for _, name := range []string{"tranDate", "dueDate"} {
			if d, err := time.ParseInLocation(time.DateOnly, str(f[name]), b.opts.Zone); err == nil {
				out[strings.ToLower(name)] = d
			}
		}
		out["type"], out["foreigntotal"] = code, cell(f["total"])
		if r.Type == "creditMemo" || r.Type == "customerRefund" {
			out["foreigntotal"] = "-" + identity(f["total"])
		}
		if customer := cell(f["customer"]); customer != nil {
			out["entity"] = customer
		}
		if left := cell(f["amountRemaining"]); left != nil {
			out["foreignamountunpaid"] = left
		}
		t.rows = append(t.rows, out)
	}
	return t
}

// lineTable has a main line for each transaction and its items, whose
// quantities and amounts are negative where goods go out.
func (b *Box) lineTable() relation {
	t := relation{columns: append([]string{
		"transaction", "id", "mainline", "taxline", "item", "quantity", "rate", "foreignamount", "memo", "createdfrom", "isclosed",
	}, b.customColumns("custcol_")...)}
	for _, r := range b.state.Rows {
		if _, ok := transactionTypes()[r.Type]; !ok {
			continue
		}
		t.rows = append(t.rows, map[string]any{
			"transaction": r.ID, "id": "0", "mainline": "T", "taxline": "F", "createdfrom": cell(r.Fields["createdFrom"]),
		})
		sign := "-"
		if r.Type == "creditMemo" {
			sign = ""
		}
		lines, _ := r.Fields["item"].([]any)
		for _, l := range lines {
			line := l.(map[string]any)
			t.rows = append(t.rows, map[string]any{
				"transaction": r.ID, "id": identity(line["line"]), "mainline": "F", "taxline": "F", "item": cell(line["item"]),
				"quantity": sign + identity(line["quantity"]), "rate": cell(line["rate"]), "foreignamount": sign + identity(line["amount"]),
				"memo": cell(line["description"]), "isclosed": cell(line["isClosed"] == true), "createdfrom": cell(r.Fields["createdFrom"]),
			})
		}
	}
	return t
}

func (b *Box) linkTable() relation {
	t := relation{columns: []string{"previousdoc", "previoustype", "nextdoc", "nexttype", "linktype", "foreignamount", "previousline", "nextline"}}
	code := func(id string) any {
		if r := b.state.ids[id]; r != nil {
			return transactionTypes()[r.Type]
		}
		return nil
	}
	for _, r := range b.state.Rows {
		lines, _ := r.Fields["apply"].([]any)
		for _, l := range lines {
			line := l.(map[string]any)
			doc := identity(line["doc"])
			t.rows = append(t.rows, map[string]any{
				"previousdoc": doc, "previoustype": code(doc), "nextdoc": r.ID, "nexttype": transactionTypes()[r.Type],
				"linktype": "Payment", "foreignamount": cell(line["amount"]), "previousline": "0", "nextline": "0",
			})
		}
		if from := identity(r.Fields["createdFrom"]); from != "" {
			kind := "OrdBill"
			if r.Type == "creditMemo" {
				kind = "SaleRet"
			}
			items, _ := r.Fields["item"].([]any)
			for i := range items {
				t.rows = append(t.rows, map[string]any{
					"previousdoc": from, "previoustype": code(from), "nextdoc": r.ID, "nexttype": transactionTypes()[r.Type],
					"linktype": kind, "previousline": strconv.Itoa(i + 1), "nextline": strconv.Itoa(i + 1),
				})
			}
		}
	}
	return t
}

func (b *Box) deletedTable() relation {
	t := relation{columns: []string{"deleteddate", "type", "recordid"}}
	for _, d := range b.state.Deleted {
		t.rows = append(t.rows, map[string]any{"deleteddate": d.At, "type": d.Type, "recordid": d.ID})
	}
	return t
}

func (b *Box) currencyTable() relation {
	t := relation{columns: []string{"id", "symbol", "name"}}
	for i, iso := range b.opts.Currencies {
		t.rows = append(t.rows, map[string]any{"id": strconv.Itoa(i + 1), "symbol": iso, "name": "currency " + strconv.Itoa(i+1)})
	}
	return t
}

// customTable has the date of modification under another name than all the
// other tables.
func (b *Box) customTable(kind string) relation {
	t := relation{columns: []string{"id", "externalid", "name", "isinactive", "lastmodified"}}
	for field := range b.opts.CustomRecords[kind] {
		t.columns = append(t.columns, strings.ToLower(field))
	}
	for _, r := range b.rows(kind) {
		out := base(r)
		delete(out, "lastmodifieddate")
		out["lastmodified"] = r.Modified
		for name, v := range r.Fields {
			out[strings.ToLower(name)] = cell(v)
			if day, err := time.ParseInLocation(time.DateOnly, str(v), b.opts.Zone); err == nil {
				out[strings.ToLower(name)] = day
			}
		}
		t.rows = append(t.rows, out)
	}
	return t
}
