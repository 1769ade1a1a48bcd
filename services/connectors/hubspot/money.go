package hubspot

import (
	"context"
	"net/http"
	"sync"

	"github.com/spoke-sync/spoke/events"
)

// monies reads amounts. One without a currency is in the portal's own.
type monies struct {
	api *api

	mu   sync.Mutex
	home string
}

// amount reads a property as money; zero when it is empty.
func (m *monies) amount(ctx context.Context, rec record, property, currency string) (events.Money, error) {
	text := rec.text(property)
	if text == "" {
		return events.Money{}, nil
	}
	if currency == "" {
		var err error
		if currency, err = m.own(ctx); err != nil {
			return events.Money{}, err
		}
	}
	v, err := events.NewMoney(text, currency)
	if err != nil {
		return events.Money{}, unreadable(rec, property)
	}
	return v, nil
}

// own is the portal's currency, which HubSpot is asked for once. It can't be
// guessed: the same digits in another currency are another amount.
func (m *monies) own(ctx context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.home != "" {
		return m.home, nil
	}
	v, err := m.api.account(ctx)
	if err != nil {
		return "", err
	}
	if _, ok := events.MinorUnits(v.CompanyCurrency); !ok {
		return "", garbled("hubspot: read the account's details", http.StatusOK).
			WithHint("set currency in the connection's settings: HubSpot does not tell the portal's own")
	}
	m.home = v.CompanyCurrency
	return m.home, nil
}
