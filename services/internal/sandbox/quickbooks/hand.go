package quickbooksbox

import (
	"errors"
	"fmt"
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
	o, p := b.insert(e, clone(fields))
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

func entityOf(name string) (entity, bool) {
	for _, e := range entities() {
		if e.name == name {
			return e, true
		}
	}
	return entity{}, false
}

// Remove deletes a transaction.
func (b *Box) Remove(entity, id string) error {
	e, ok := entityOf(entity)
	if !ok {
		return fmt.Errorf("quickbooksbox: no entity %s", entity)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	current := b.state.Objects[entity][id]
	if current == nil {
		return fmt.Errorf("quickbooksbox: no %s %s", entity, id)
	}
	if _, p := b.remove(e, object{"Id": id, "SyncToken": current.text("SyncToken")}); p != nil {
		return fmt.Errorf("quickbooksbox: remove %s: %s %s", entity, p.code, p.detail)
	}
	b.save()
	return nil
}
