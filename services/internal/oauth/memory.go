package oauth

import (
	"context"
	"sync"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// MemoryStore is a connector.TokenStore that ends with the process. A token
// that gets lost means that a person has to connect the account again, so a
// store that outlives the process is to be used wherever there is one.
type MemoryStore struct {
	mu    sync.Mutex
	token string
	rev   uint64
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{} }

// Load implements connector.TokenStore.
func (s *MemoryStore) Load(context.Context) (string, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token, s.rev, nil
}

// Save implements connector.TokenStore.
func (s *MemoryStore) Save(_ context.Context, token string, rev uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev != s.rev {
		return 0, connector.ErrTokenMoved
	}
	s.token, s.rev = token, rev+1
	return s.rev, nil
}
