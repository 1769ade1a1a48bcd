package quickbooksbox

import (
	"encoding/json"
	"regexp"
	"strconv"
)

// keyPattern finds Spoke's key in a note.
var keyPattern = regexp.MustCompile(`spoke-[a-z_]+-[0-9A-Za-z_-]+`)

// keyOf is what an effect is counted under: the key in the object's note, or
// its id.
func keyOf(o object) string {
	for _, note := range []string{"Notes", "PrivateNote"} {
		if k := keyPattern.FindString(o.text(note)); k != "" {
			return k
		}
	}
	return o.text("Id")
}

// happened counts the effect and tells the webhook. The caller holds the lock.
func (b *Box) happened(e entity, o object, effect, operation string) {
	b.Effect(e.name+" "+effect, keyOf(o))
	b.notify(e.name, o.text("Id"), operation)
}

func (b *Box) create(e entity, in object) (object, *problem) {
	o, p := b.insert(e, in)
	if p == nil {
		b.happened(e, o, "created", "Create")
	}
	return o, p
}

// insert stores a new object.
func (b *Box) insert(e entity, in object) (object, *problem) {
	o := clone(in)
	delete(o, "sparse")
	if p := e.check(b, o, nil); p != nil {
		return nil, p
	}
	now := b.opts.Now().Format(timeLayout)
	o["Id"], o["SyncToken"], o["domain"], o["sparse"] = b.state.newID(), "0", "QBO", false
	o["MetaData"] = object{"CreateTime": now, "LastUpdatedTime": now}
	b.state.Objects[e.name][o.text("Id")] = o
	b.settle(e, o, nil)
	return o, nil
}

// version returns the stored object that a request names, when the request
// knows its newest version.
func (b *Box) version(e entity, in object) (object, *problem) {
	id := in.text("Id")
	if id == "" {
		return nil, missingParam("Id")
	}
	current, ok := b.state.Objects[e.name][id]
	if !ok {
		return nil, notFound()
	}
	switch token, ok := in["SyncToken"].(string); {
	case !ok:
		return nil, missingParam("SyncToken")
	case token != current.text("SyncToken"):
		return nil, invalid("5010", "Stale Object Error",
			"Stale Object Error : You and somebody else were working on this at the same time. Your change was not saved.", "")
	}
	return current, nil
}

// update merges a sparse request into the object, or replaces all of it.
func (b *Box) update(e entity, in object) (object, *problem) {
	current, p := b.version(e, in)
	if p != nil {
		return nil, p
	}
	o := object{}
	if in["sparse"] == true {
		o = clone(current)
		delete(o, "TxnTaxDetail") // worked out anew, unless the request tells it
	}
	for name, v := range clone(in) {
		o[name] = v
	}
	if p := b.replace(e, o, current); p != nil {
		return nil, p
	}
	b.happened(e, o, "updated", "Update")
	return o, nil
}

// replace checks and stores the next version of an object.
func (b *Box) replace(e entity, o, current object) *problem {
	if p := e.check(b, o, current); p != nil {
		return p
	}
	b.bump(o, current)
	b.state.Objects[e.name][o.text("Id")] = o
	b.settle(e, o, current)
	return nil
}

// bump gives an object its next version.
func (b *Box) bump(o, current object) {
	n, err := strconv.Atoi(current.text("SyncToken"))
	if err != nil {
		n = 0
	}
	o["Id"], o["SyncToken"], o["domain"], o["sparse"] = current.text("Id"), strconv.Itoa(n+1), "QBO", false
	o["MetaData"] = object{
		"CreateTime": current.inside("MetaData").text("CreateTime"), "LastUpdatedTime": b.opts.Now().Format(timeLayout),
	}
}

// remove deletes a transaction; names can't be deleted.
func (b *Box) remove(e entity, in object) (object, *problem) {
	current, p := b.version(e, in)
	if p != nil {
		return nil, p
	}
	if e.named {
		return nil, invalid("2010", "Request has invalid or unsupported property", "Operation delete is not supported", "")
	}
	if p := b.movable(current); p != nil {
		return nil, p
	}
	id := current.text("Id")
	delete(b.state.Objects[e.name], id)
	b.gone(e.name, id)
	b.unlink(id, e.name)
	b.settle(e, nil, current)
	b.happened(e, current, "deleted", "Delete")
	return object{"status": "Deleted", "domain": "QBO", "Id": id}, nil
}

// void sets the amounts of a transaction to zero and keeps it.
func (b *Box) void(e entity, in object) (object, *problem) {
	current, p := b.version(e, in)
	if p != nil {
		return nil, p
	}
	if p := b.movable(current); p != nil {
		return nil, p
	}
	o := clone(current)
	if note := o.text("PrivateNote"); note == "" {
		o["PrivateNote"] = "Voided"
	} else {
		o["PrivateNote"] = "Voided - " + note
	}
	delete(o, "TxnTaxDetail")
	for _, name := range []string{"TotalAmt", "Balance", "UnappliedAmt"} {
		if _, ok := o[name]; ok {
			o[name] = json.Number("0")
		}
	}
	if e.name == "Payment" {
		delete(o, "Line")
	} else {
		b.unlink(o.text("Id"), e.name)
		delete(o, "LinkedTxn")
		o["Line"] = emptied(o.lines())
	}
	b.bump(o, current)
	b.state.Objects[e.name][o.text("Id")] = o
	b.settle(e, o, current)
	b.happened(e, o, "voided", "Void")
	return o, nil
}

// emptied returns lines that count nothing.
func emptied(lines []object) []any {
	out := make([]any, 0, len(lines))
	for _, l := range lines {
		l["Amount"] = json.Number("0")
		if d := l.inside("SalesItemLineDetail"); d != nil {
			delete(d, "Qty")
			delete(d, "UnitPrice")
		}
		out = append(out, l)
	}
	return out
}
