package netsuite

import (
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// everything is what Spoke does with the types that it writes and reads.
const everything = connector.Create | connector.Update | connector.Delete | connector.Read

// records are all types that documents are written to, as the settings make
// them. Items are in item.go.
func (s *Settings) records() []record {
	all := []record{customer(), contact(), salesOrder(), invoice(), customerPayment(), creditMemo(), customerRefund(), task()}
	for _, c := range s.CustomRecords {
		all = append(all, c.record())
	}
	for i := range all {
		r := &all[i]
		r.Fields = plainFields(r.fields)
		if (r.Name == typeCustomer || r.Name == typePayment) && s.Currency == "" { // an account of one currency has no such field
			r.read += ",currency"
		}
		if r.custom != "" {
			r.Open = func(name string) bool { return strings.HasPrefix(name, r.custom) && len(name) > len(r.custom) }
		}
	}
	return all
}

func customer() record {
	return record{
		Object: connector.Object{Name: typeCustomer, Entity: events.EntityCompany, Can: everything},
		custom: "custentity_", page: "/app/common/entity/custjob.nl", voids: voidsInactive,
		read:  "id,entityId,companyName,isPerson,firstName,lastName,email,phone,url",
		shows: []string{"name", "domain", "email", "phone", "currency"},
		fields: []field{
			text("companyName", "Name of a company; persons have firstName and lastName"),
			flag("isPerson", "True for a person").create(),
			text("firstName", "Of a person"),
			text("lastName", "Of a person"),
			text("entityId", "Number or code; leave it out where NetSuite numbers customers").create(),
			text("email", ""),
			text("phone", ""),
			text("url", "Web address"),
			text("comments", ""),
			id("subsidiary", "Primary subsidiary; the connection's setting when absent").create(),
			currency(),
			id("terms", "Payment terms"),
			id("category", ""),
			id("salesRep", ""),
			id("priceLevel", ""),
			flag("isInactive", ""),
			billTo("billAddr1", "Street"),
			billTo("billCity", "City"),
			billTo("billState", "State"),
			billTo("billZip", "Postal code"),
			billTo("billCountry", "Country, as an ISO 3166 code or an English name,"),
		},
	}
}

func contact() record {
	return record{
		Object: connector.Object{Name: typeContact, Entity: events.EntityContact, Can: everything},
		custom: "custentity_", page: "/app/common/entity/contact.nl", voids: voidsInactive,
		read:  "id,entityId,firstName,lastName,email,phone,company",
		shows: []string{"firstName", "lastName", "email", "phone", "company"},
		fields: []field{
			text("firstName", ""),
			text("lastName", ""),
			text("entityId", "Name of the contact where first and last name are not it").create(),
			text("email", ""),
			text("phone", ""),
			text("title", "Job title"),
			text("comments", ""),
			reference("company", typeCustomer, "The customer that the contact works for"),
			id("subsidiary", "Primary subsidiary; the connection's setting when absent").create(),
			flag("isInactive", ""),
		},
		needs: func(fields map[string]any) string {
			if empty(fields["firstName"]) && empty(fields["lastName"]) && empty(fields["entityId"]) {
				return "lastName"
			}
			return ""
		},
	}
}

// sale are the fields of all transactions with items, with those that differ
// in front.
func sale(lines []field, own ...field) []field {
	return append(own,
		date("tranDate", "Day of the transaction; today when absent"),
		text("memo", ""),
		text("otherRefNum", "The customer's order number"),
		currency(),
		id("location", ""),
		id("department", ""),
		id("class", ""),
		id("terms", "Payment terms"),
		flag("taxDetailsOverride", "True to set the tax by taxDetails, in accounts with SuiteTax"),
		list(
			"taxDetails", "Tax by line, in accounts with SuiteTax",
			text("taxDetailsReference", "That of the line").required(),
			id("taxType", "").required(),
			id("taxCode", "").required(),
			decimal("taxBasis", "").required(),
			decimal("taxRate", "In percent").required(),
			decimal("taxAmount", "").required(),
		),
		list("item", "The lines", lines...),
	)
}

func lineFields(item field) []field {
	return []field{
		item,
		decimal("quantity", "1 when absent"),
		decimal("rate", "Price of one unit, before tax; the item's own when absent"),
		decimal("amount", "Price of the line after discount, before tax; quantity times rate when absent"),
		text("description", ""),
		id("location", ""),
		id("department", ""),
		id("class", ""),
		text("taxDetailsReference", "Name of the line in taxDetails"),
	}
}

func salesOrder() record {
	fields := sale(
		lineFields(reference("item", typeItem, "What is sold").required()),
		reference("entity", typeCustomer, "Who buys").required(),
		text("orderStatus", "A pending approval or B pending fulfillment, set when the order is created").create(),
		date("shipDate", ""),
	)
	fields[len(fields)-1].Required = true
	return record{
		Object: connector.Object{Name: typeOrder, Entity: events.EntityOrder, Can: everything},
		custom: "custbody_", customLine: "custcol_", read: "id,tranId,status,total,currency,tranDate,entity",
		shows: []string{"placedOn", "company"},
		page:  "/app/accounting/transactions/salesord.nl", voids: voidsLines, fields: fields,
	}
}

func invoice() record {
	return record{
		Object: connector.Object{Name: typeInvoice, Entity: events.EntityInvoice, Can: everything},
		custom: "custbody_", customLine: "custcol_", read: "id,tranId,status,total,currency,amountRemaining,amountPaid,tranDate,dueDate,memo,entity",
		shows: []string{"issuedOn", "dueOn", "memo", "company"},
		page:  "/app/accounting/transactions/custinvc.nl", from: typeOrder, needs: ownSale,
		fields: sale(
			lineFields(reference("item", typeItem, "What is billed").required()),
			from(typeOrder, "The sales order that is billed: all of it that is still open. Without it the invoice stands by itself and needs entity and item"),
			reference("entity", typeCustomer, "Who owes; the order's customer when createdFrom is set").create(),
			date("dueDate", ""),
		),
	}
}

func creditMemo() record {
	return record{
		Object: connector.Object{Name: typeCredit, Entity: events.EntityCreditNote, Can: everything},
		custom: "custbody_", customLine: "custcol_", read: "id,tranId,status,total,currency,tranDate,entity",
		shows: []string{"issuedOn", "company"},
		page:  "/app/accounting/transactions/custcred.nl", from: typeInvoice, needs: ownSale,
		fields: sale(
			lineFields(reference("item", typeItem, "What is credited; the connection's setting refunds.item when absent")),
			from(typeInvoice, "The invoice that is taken back as a whole. Without it the credit memo stands by itself and needs entity and item"),
			reference("entity", typeCustomer, "Who gets the credit; the invoice's customer when createdFrom is set").create(),
			list(
				"apply", "The invoices that it settles; the rest stays open",
				reference("doc", typeInvoice, "The invoice").required(),
				decimal("amount", "How much of it is settled").required(),
			),
		),
	}
}

// ownSale checks a transaction that is not transformed from another one.
func ownSale(fields map[string]any) string {
	for _, name := range []string{"entity", "item"} {
		if empty(fields["createdFrom"]) && empty(fields[name]) {
			return name
		}
	}
	return ""
}

func customerPayment() record {
	return record{
		Object: connector.Object{Name: typePayment, Entity: events.EntityPayment, Can: everything},
		custom: "custbody_", page: "/app/accounting/transactions/custpymt.nl",
		read: "id,tranId,payment,tranDate,customer", shows: []string{"amount", "receivedOn", "company"},
		fields: []field{
			reference("customer", typeCustomer, "Who paid").required(),
			decimal("payment", "Amount in the currency").required(),
			date("tranDate", "Day of receipt; today when absent"),
			text("memo", ""),
			text("checkNumber", ""),
			currency(),
			id("account", "Account of the deposit; the connection's setting when absent").create(),
			text("undepFunds", "T to hold it with undeposited funds").create(),
			id("arAcct", "Receivables account").create(),
			list(
				"apply", "The invoices that it pays; the rest stays unapplied",
				reference("doc", typeInvoice, "The invoice").required(),
				decimal("amount", "How much of it is paid").required(),
			),
		},
	}
}

func customerRefund() record {
	return record{
		Object: connector.Object{Name: typeRefund, Entity: events.EntityRefund, Can: everything},
		custom: "custbody_", page: "/app/accounting/transactions/custrfnd.nl",
		read: "id,tranId,tranDate,customer", shows: []string{"refundedOn", "company"},
		fields: []field{
			reference("customer", typeCustomer, "Who gets the money").required(),
			date("tranDate", "Day of the refund; today when absent"),
			text("memo", ""),
			text("checkNumber", ""),
			currency(),
			id("account", "Account that the money leaves; the connection's setting refunds.account when absent").create(),
			id("paymentOption", "How it is paid; the connection's setting refunds.payment_option when absent").create(),
			id("arAcct", "Receivables account").create(),
			list(
				"apply", "The credit memos that are paid out; their sum is the refund",
				reference("doc", typeCredit, "The credit memo").required(),
				decimal("amount", "How much of it is paid out").required(),
			).required(),
		},
	}
}

// task is a note to a person, which is what becomes of a dispute.
func task() record {
	return record{
		Object: connector.Object{
			Name: typeTask, Entity: events.EntityDispute, Can: connector.Create | connector.Update | connector.Delete,
		},
		read: "id", page: "/app/crm/calendar/task.nl", voids: voidsComplete,
		fields: []field{
			text("title", "").required(),
			text("message", ""),
			reference("company", typeCustomer, "The customer it is about"),
			id("assigned", "The employee who is to do it; whoever the integration signs in as when absent"),
			date("startDate", ""),
			date("dueDate", ""),
			text("priority", "HIGH, MEDIUM or LOW"),
			text("status", "NOTSTART, PROGRESS or COMPLETE").create(),
		},
	}
}

func empty(v any) bool {
	list, ok := v.([]any)
	return v == nil || v == "" || ok && len(list) == 0
}
