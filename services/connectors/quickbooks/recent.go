package quickbooks

import "sync"

// maxRecent bounds how many objects are remembered.
const maxRecent = 512

// recent remembers objects as QuickBooks answered them last.
type recent struct {
	mu      sync.Mutex
	objects map[string]body
}

func newRecent() *recent { return &recent{objects: map[string]body{}} }

func (r *recent) get(k *kind, id string) body {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.objects[k.key(id)]
}

func (r *recent) put(k *kind, b body) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.objects) >= maxRecent {
		for key := range r.objects {
			delete(r.objects, key) // any one: it only costs a read
			break
		}
	}
	r.objects[k.key(b.text("Id"))] = b
}

func (r *recent) drop(k *kind, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, k.key(id))
}
