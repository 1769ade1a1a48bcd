package quickbooks

import (
	"context"
	"strings"
	"sync"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// accounts turns the names of accounts into ids and remembers them: people
// configure names, QuickBooks wants ids.
type accounts struct {
	client *client
	mu     sync.Mutex
	known  map[string]string
}

// id returns the id of an account that is given by its id or its name.
func (a *accounts) id(ctx context.Context, account string) (string, error) {
	if !strings.ContainsFunc(account, func(r rune) bool { return r < '0' || r > '9' }) {
		return account, nil
	}
	a.mu.Lock()
	id := a.known[account]
	a.mu.Unlock()
	if id != "" {
		return id, nil
	}
	found, err := a.client.query(ctx, &kind{name: "Account", title: "account"}, "Name = "+quote(account), 1)
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fault.New(fault.Rejected, Name+": look up account", "%d active accounts have the configured name", len(found)).
			WithHint("set income_account and deposit_account to the id of an account, or to a name that is unique")
	}
	id = found[0].text("Id")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[account] = id
	return id, nil
}
