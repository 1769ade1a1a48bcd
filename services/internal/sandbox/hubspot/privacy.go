package hubspotbox

import "net/http"

// gdprDelete forgets a contact, found by id or by e-mail address.
func (b *Box) gdprDelete(t *objectType, w http.ResponseWriter, r *http.Request) {
	var in struct {
		ObjectID   string `json:"objectId"`
		IDProperty string `json:"idProperty"`
	}
	if !b.read(w, r, &in) {
		return
	}
	b.mu.Lock()
	id := in.ObjectID
	if in.IDProperty == "email" {
		id = b.state.unique[uniqueKey(t, "email", id)]
	}
	if o, ok := b.state.live(t, id); ok {
		b.erase(t, o)
	}
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// Erase forgets a contact as a person in HubSpot does, with both webhooks.
func (b *Box) Erase(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, o, err := b.find("contact", id)
	if err == nil {
		b.erase(t, o)
	}
	return err
}

// erase says that the record is gone, and separately that it was forgotten.
// The caller holds the lock.
func (b *Box) erase(t *objectType, o *object) {
	b.bury(t, o)
	b.remove(t, o)
	b.notify(t, "privacyDeletion", b.opts.Now(), notification{"objectId": number(o.ID)})
	b.Effect(t.name+" erased", o.ID)
	b.save()
}
