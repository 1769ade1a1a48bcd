package quickbooksbox

import (
	"errors"
	"fmt"
	"slices"
)

// The methods of this file do what people do in the web application. They
// count no effects, but send webhooks.

// Add enters an object and returns its id.
func (b *Box) Add(entity string, fields map[string]any) (string, error) {
	e, ok := entityOf(entity)
	if !ok {
		return "", fmt.Errorf("quickbooksbox: no entity %s", entity)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	in := clone(fields)
	p := e.properties(in)
	var o object
	if p == nil {
		o, p = b.insert(e, in)
	}
	if p != nil {
		return "", fmt.Errorf("quickbooksbox: add %s: %s %s", entity, p.code, p.detail)
	}
	b.notify(entity, o.text("Id"), "Create")
	b.save()
	return o.text("Id"), nil
}

// Edit changes fields of an object.
func (b *Box) Edit(entity, id string, fields map[string]any) error {
	e, ok := entityOf(entity)
	if !ok {
		return fmt.Errorf("quickbooksbox: no entity %s", entity)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	current, ok := b.state.Objects[entity][id]
	if !ok {
		return fmt.Errorf("quickbooksbox: no %s %s", entity, id)
	}
	o := clone(current)
	delete(o, "TxnTaxDetail")
	for name, v := range clone(fields) {
		o[name] = v
	}
	if p := b.replace(e, o, current); p != nil {
		return fmt.Errorf("quickbooksbox: edit %s: %s %s", entity, p.code, p.detail)
	}
	b.notify(entity, id, "Update")
	b.save()
	return nil
}

// Deposit puts a payment into a bank deposit, after which it can't change.
func (b *Box) Deposit(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.state.Objects["Payment"][id]
	if !ok {
		return errors.New("quickbooksbox: no such payment")
	}
	o["deposited"] = true
	b.save()
	return nil
}

// Remove deletes a transaction.
func (b *Box) Remove(entity, id string) error { return b.byHand(entity, id, "delete") }

// Void voids a transaction.
func (b *Box) Void(entity, id string) error { return b.byHand(entity, id, "void") }

func (b *Box) byHand(name, id, operation string) error {
	e, ok := entityOf(name)
	if !ok {
		return fmt.Errorf("quickbooksbox: no entity %s", name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	in := object{"Id": id, "SyncToken": b.state.Objects[name][id].text("SyncToken")}
	do := b.remove
	if operation == "void" {
		do = b.void
	}
	if _, p := do(e, in); p != nil {
		return fmt.Errorf("quickbooksbox: %s %s: %s %s", operation, name, p.code, p.detail)
	}
	b.save()
	return nil
}

// Merge makes one customer a part of another: what was the one's is the
// other's, and the one is gone.
func (b *Box) Merge(gone, into string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	customers := b.state.Objects["Customer"]
	if customers[gone] == nil || customers[into] == nil || gone == into {
		return errors.New("quickbooksbox: no two customers to merge")
	}
	for _, e := range entities() {
		for _, o := range b.state.Objects[e.name] {
			if o.ref("CustomerRef") == gone {
				o["CustomerRef"] = object{"value": into, "name": customers[into].text("DisplayName")}
			}
		}
	}
	delete(customers, gone)
	b.gone("Customer", gone)
	kept := clone(customers[into])
	b.bump(kept, customers[into])
	customers[into] = kept
	b.hook.Send(b.Notification("Customer", into, "Merge", gone))
	b.save()
	return nil
}

// CloseBooks refuses transactions up to that day from now on; "" opens them.
func (b *Box) CloseBooks(day string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts.BookCloseDate = day
}

// AddCurrency lets the company deal in another currency.
func (b *Box) AddCurrency(iso string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts.Currencies = append(slices.Clone(b.opts.Currencies), iso)
}

// TakeName gives a name to a vendor or an employee, which no customer may have
// then.
func (b *Box) TakeName(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts.TakenNames = append(slices.Clone(b.opts.TakenNames), name)
}

// FreeName renames the vendor or the employee of a name.
func (b *Box) FreeName(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts.TakenNames = slices.DeleteFunc(slices.Clone(b.opts.TakenNames), func(n string) bool { return n == name })
}

func entityOf(name string) (entity, bool) {
	for _, e := range entities() {
		if e.name == name {
			return e, true
		}
	}
	return entity{}, false
}
