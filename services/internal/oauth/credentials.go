// Package oauth keeps the OAuth 2.0 tokens of one connection: one replica asks
// for an access token, and all of them use it.
package oauth

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Credentials are what the store keeps of one connection, for all replicas:
// one of them asks for an access token, and all of them use it.
type Credentials struct {
	Refresh string `json:"refresh,omitempty"`
	// RefreshUntil is when the refresh token ends unless it is used, HardUntil
	// when the connection ends whatever is done. Zero where the vendor does not
	// say.
	RefreshUntil time.Time `json:"refreshUntil,omitzero"`
	HardUntil    time.Time `json:"hardUntil,omitzero"`
	Access       string    `json:"access,omitempty"`
	// Until is when the access token is no longer used.
	Until time.Time `json:"until,omitzero"`
	// Claim is set while one replica asks for the next tokens.
	Claim Claim `json:"claim,omitzero"`
}

// Claim is the right of one replica to use the refresh token. It runs out, so
// that a replica that died with it stops nobody.
type Claim struct {
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}

// parse reads what the store holds. A bare refresh token is what
// earlier versions kept.
func parse(op, text string) (Credentials, error) {
	if !strings.HasPrefix(text, "{") {
		return Credentials{Refresh: text}, nil
	}
	var c Credentials
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		// The decoder's own words could repeat a token.
		return Credentials{}, fault.New(fault.Internal, op, "the stored credentials can't be read")
	}
	return c, nil
}

// Load reads the credentials of a store and their revision.
func Load(ctx context.Context, op string, store connector.TokenStore) (Credentials, uint64, error) {
	text, rev, err := store.Load(ctx)
	if err != nil {
		return Credentials{}, 0, fault.New(fault.Transient, op, "load the credentials: %w", err)
	}
	c, err := parse(op, text)
	return c, rev, err
}

// Save replaces the credentials that have the revision; see
// connector.TokenStore.
func Save(ctx context.Context, store connector.TokenStore, c Credentials, rev uint64) (uint64, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	return store.Save(ctx, string(text), rev)
}
