package netsuitebox

import "maps"

// schemas are the record types that the account serves.
func (b *Box) recordTypes() map[string]schema {
	all := map[string]schema{
		"customer": customerSchema(), "contact": contactSchema(), "task": taskSchema(),
		"salesOrder": orderSchema(), "invoice": invoiceSchema(), "creditMemo": creditSchema(),
		"customerPayment": paymentSchema(), "customerRefund": refundSchema(),
	}
	for _, t := range itemTypes() {
		all[t] = itemSchema()
	}
	for t, fields := range b.opts.CustomRecords {
		all[t] = schema{"name": text(), "isInactive": yes()}
		for name, to := range fields {
			all[t][name] = property{kind: anything}
			if to != "" {
				all[t][name] = property{kind: aRef, to: to}
			}
		}
	}
	for name, s := range all {
		s["externalId"], s["id"] = text(), computed(text())
		if b.opts.SuiteTax && (name == "salesOrder" || name == "invoice" || name == "creditMemo") {
			s["taxDetailsOverride"] = yes()
			s["taxDetails"] = property{kind: aList, lines: schema{
				"taxDetailsReference": text(), "taxType": to("taxType"), "taxCode": to("taxCode"),
				"taxBasis": amount(), "taxRate": amount(), "taxAmount": amount(),
			}}
			line := s["item"].lines
			line["taxDetailsReference"] = text()
		}
	}
	return all
}

func itemSchema() schema {
	return schema{
		"itemId": text(), "displayName": text(), "description": text(), "isInactive": yes(), "cost": amount(),
		"incomeAccount": to("account"), "cogsAccount": to("account"), "assetAccount": to("account"),
		"taxSchedule": to("taxSchedule"), "subsidiary": {kind: anything}, "basePrice": computed(amount()),
		"price": {kind: aList, keys: []string{"currencyPage", "priceLevel"}, lines: schema{
			"currencyPage": to("currency"), "priceLevel": to("priceLevel"), "quantity": {kind: anything}, "price": amount(),
		}},
	}
}

func customerSchema() schema {
	address := schema{"addr1": text(), "addr2": text(), "city": text(), "state": text(), "zip": text(), "country": text(), "addressee": text(), "addrPhone": text()}
	return schema{
		"entityId": text(), "isPerson": yes(), "companyName": text(), "firstName": text(), "lastName": text(),
		"email": text(), "phone": text(), "url": text(), "comments": text(), "isInactive": yes(),
		"subsidiary": to("subsidiary"), "currency": to("currency"), "terms": to("term"), "category": to("customerCategory"),
		"salesRep": to("employee"), "priceLevel": to("priceLevel"), "creditLimit": amount(),
		"addressBook": {kind: aList, keys: []string{"id"}, lines: schema{
			"id": text(), "label": text(), "defaultBilling": yes(), "defaultShipping": yes(),
			"addressBookAddress": {kind: anObject, lines: address},
		}},
	}
}

func contactSchema() schema {
	return schema{
		"entityId": text(), "firstName": text(), "lastName": text(), "email": text(), "phone": text(), "title": text(),
		"comments": text(), "company": to("customer"), "subsidiary": to("subsidiary"), "isInactive": yes(),
	}
}

func taskSchema() schema {
	return schema{
		"title": text(), "message": text(), "company": to("customer"), "transaction": to("invoice"),
		"assigned": to("employee"), "startDate": day(), "dueDate": day(), "completedDate": day(),
		"status": one("NOTSTART", "PROGRESS", "COMPLETE"), "priority": one("HIGH", "MEDIUM", "LOW"),
	}
}

// saleSchema is what all transactions with items have.
func saleSchema(more schema) schema {
	s := schema{
		"tranId": text(), "tranDate": day(), "entity": to("customer"), "subsidiary": to("subsidiary"), "currency": to("currency"),
		"memo": text(), "otherRefNum": text(), "location": to("location"), "department": to("department"),
		"class": to("classification"), "terms": to("term"), "subtotal": computed(amount()), "total": computed(amount()),
		"item": {kind: aList, keys: []string{"line"}, lines: schema{
			"line": amount(), "item": to("item"), "quantity": amount(), "rate": amount(), "amount": amount(),
			"description": text(), "price": to("priceLevel"), "isClosed": yes(), "quantityBilled": computed(amount()),
			"orderLine": computed(amount()),
		}},
	}
	maps.Copy(s, more)
	return s
}

func orderSchema() schema {
	return saleSchema(schema{
		"orderStatus": one("A", "B"), "shipDate": day(), "status": computed(one("A", "B", "E", "G", "H")),
	})
}

func invoiceSchema() schema {
	return saleSchema(schema{
		"createdFrom": computed(to("salesOrder")), "dueDate": day(), "status": computed(one("A", "B")),
		"amountRemaining": computed(amount()), "amountPaid": computed(amount()),
	})
}

func creditSchema() schema {
	return saleSchema(schema{
		"createdFrom": computed(to("invoice")), "status": computed(one("A", "B")), "applied": computed(amount()),
		"unapplied": computed(amount()), "amountRemaining": computed(amount()), "apply": applyList("invoice"),
	})
}

func applyList(doc string) property {
	return property{kind: aList, keys: []string{"doc"}, lines: schema{
		"doc": to(doc), "apply": yes(), "amount": amount(), "line": amount(),
	}}
}

func paymentSchema() schema {
	return schema{
		"tranId": text(), "tranDate": day(), "customer": to("customer"), "subsidiary": to("subsidiary"), "currency": to("currency"),
		"payment": amount(), "memo": text(), "checkNumber": text(), "account": to("account"), "arAcct": to("account"),
		"undepFunds": one("T", "F"), "total": computed(amount()), "applied": computed(amount()), "unapplied": computed(amount()),
		"status": computed(one("B", "C")), "apply": applyList("invoice"),
	}
}

func refundSchema() schema {
	return schema{
		"tranId": text(), "tranDate": day(), "customer": to("customer"), "subsidiary": to("subsidiary"), "currency": to("currency"),
		"memo": text(), "checkNumber": text(), "account": to("account"), "arAcct": to("account"), "paymentOption": to("paymentOption"),
		"total": computed(amount()), "status": computed(one("R", "V")), "apply": applyList("creditMemo"),
	}
}

// statusNames are the names of the statuses by record type and id.
func statusNames(kind, id string) string {
	names := map[string]map[string]string{
		"salesOrder": {
			"A": "Pending Approval", "B": "Pending Fulfillment", "E": "Pending Billing/Partially Fulfilled", "G": "Billed", "H": "Closed",
		},
		"invoice":         {"A": "Open", "B": "Paid In Full"},
		"creditMemo":      {"A": "Open", "B": "Fully Applied"},
		"customerPayment": {"B": "Not Deposited", "C": "Deposited"},
		"customerRefund":  {"R": "Refunded", "V": "Voided"},
	}
	if name, ok := names[kind][id]; ok {
		return name
	}
	return id
}
