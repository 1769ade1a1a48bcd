// Package vault keeps rotating tokens in the key-value bucket that all
// replicas share, encrypted, and changed with compare-and-set only.
package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/durable"
)

// EnvKey names the environment variable with the key: 32 bytes in base64. All
// processes of one installation share it.
const EnvKey = "SPOKE_TOKEN_KEY"

const (
	keyFile = "token.key"
	keySize = 32
)

// Key returns the key of the environment, or the one in the data folder,
// which is made at the first call, and on disk when this returns: without it
// no stored token could be read.
func Key(dir string) ([]byte, error) {
	if text := os.Getenv(EnvKey); text != "" {
		return decode(EnvKey, text)
	}
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if err == nil {
		return decode(path, string(text))
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("token key: %w", err)
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	if err := durable.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	return key, nil
}

func decode(where, text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("token key in %s: want %d bytes in base64 (openssl rand -base64 %d)", where, keySize, keySize)
	}
	return key, nil
}

// Vault is the bucket with its key.
type Vault struct {
	kv   jetstream.KeyValue
	aead cipher.AEAD
}

// Open returns the vault in an existing bucket.
func Open(ctx context.Context, js jetstream.JetStream, bucket string, key []byte) (*Vault, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("vault: bucket %s: %w", bucket, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return &Vault{kv: kv, aead: aead}, nil
}

// Tokens returns the store of one connection's credentials.
func (v *Vault) Tokens(connection string) connector.TokenStore {
	return store{vault: v, name: events.Token(connection)}
}

type store struct {
	vault *Vault
	name  string
}

// Load implements connector.TokenStore.
func (s store) Load(ctx context.Context) (string, uint64, error) {
	e, err := s.vault.kv.Get(ctx, s.name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("vault: token of %s: %w", s.name, err)
	}
	n := s.vault.aead.NonceSize()
	if len(e.Value()) < n {
		return "", 0, fmt.Errorf("vault: token of %s is cut short: connect the account again", s.name)
	}
	// The name is authenticated too, so that one connection's token can't be
	// put in another's place.
	plain, err := s.vault.aead.Open(nil, e.Value()[:n], e.Value()[n:], []byte(s.name))
	if err != nil {
		return "", 0, fmt.Errorf("vault: token of %s can't be decrypted: is %s the key it was stored with?", s.name, EnvKey)
	}
	return string(plain), e.Revision(), nil
}

// Save implements connector.TokenStore.
func (s store) Save(ctx context.Context, token string, revision uint64) (uint64, error) {
	nonce := make([]byte, s.vault.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return 0, fmt.Errorf("vault: %w", err)
	}
	sealed := s.vault.aead.Seal(nonce, nonce, []byte(token), []byte(s.name))
	var next uint64
	var err error
	if revision == 0 {
		next, err = s.vault.kv.Create(ctx, s.name, sealed)
	} else {
		next, err = s.vault.kv.Update(ctx, s.name, sealed, revision)
	}
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return 0, connector.ErrTokenMoved
	}
	if err != nil {
		return 0, fmt.Errorf("vault: token of %s: %w", s.name, err)
	}
	return next, nil
}
