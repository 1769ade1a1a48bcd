package netsuitebox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Client is what a connection needs for OAuth 2.0 client credentials.
type Client struct {
	ClientID      string
	CertificateID string
	PrivateKeyPEM string
	Alg           string
}

// rsaBits is the least that NetSuite takes.
const rsaBits = 3072

// GenerateClient makes a key pair for ES256 or PS256 and registers it.
func (b *Box) GenerateClient(alg string) (Client, error) {
	var private any
	var public crypto.PublicKey
	switch alg {
	case "ES256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return Client{}, fmt.Errorf("netsuitebox: generate key: %w", err)
		}
		private, public = key, &key.PublicKey
	case "PS256":
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return Client{}, fmt.Errorf("netsuitebox: generate key: %w", err)
		}
		private, public = key, &key.PublicKey
	default:
		return Client{}, fmt.Errorf("netsuitebox: algorithm %q: want ES256 or PS256", alg)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Client{}, fmt.Errorf("netsuitebox: encode key: %w", err)
	}
	c := Client{
		ClientID: "client-" + rand.Text()[:8], CertificateID: "cert-" + rand.Text()[:8], Alg: alg,
		PrivateKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
	b.RegisterClient(c.ClientID, c.CertificateID, public)
	return c, nil
}
