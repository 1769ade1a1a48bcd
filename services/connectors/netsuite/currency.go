package netsuite

import (
	"context"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// currencies knows the internal ids of the account's currencies. Documents
// name a currency by its ISO code, records by internal id. It is asked once,
// and again for one that is not known yet.
type currencies struct {
	api *api
	// only is the code of an account that has one currency and no table.
	only string

	group singleflight.Group
	mu    sync.Mutex
	ids   map[string]string // by ISO code
}

// id returns the internal id of a code. It is "" in an account of one
// currency, which the field must not be sent to.
func (c *currencies) id(ctx context.Context, op, iso string) (string, error) {
	if c.only != "" {
		if iso == c.only {
			return "", nil
		}
		return "", fault.New(fault.Rejected, op, "the account's only currency is %s, not %s", c.only, iso).WithField("currency").
			WithHint("enable Multiple Currencies in NetSuite and clear the connection's setting currency, or change the amount's currency")
	}
	if id, ok := c.known()[iso]; ok {
		return id, nil
	}
	if err := c.load(ctx); err != nil {
		return "", err
	}
	if id, ok := c.known()[iso]; ok {
		return id, nil
	}
	return "", fault.New(fault.Rejected, op, "NetSuite has no currency %s", iso).WithField("currency").
		WithHint("create the currency in NetSuite, or change the amount's currency")
}

// iso returns the code of an internal id, or "" for one without a code.
func (c *currencies) iso(ctx context.Context, id string) (string, error) {
	if c.only != "" || id == "" {
		return c.only, nil
	}
	if code := codeOf(c.known(), id); code != "" {
		return code, nil
	}
	if err := c.load(ctx); err != nil {
		return "", err
	}
	return codeOf(c.known(), id), nil
}

func codeOf(ids map[string]string, id string) string {
	for code, known := range ids {
		if known == id {
			return code
		}
	}
	return ""
}

// known returns the current table, which is replaced and never changed.
func (c *currencies) known() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids
}

func (c *currencies) load(ctx context.Context) error {
	ch := c.group.DoChan("", func() (any, error) {
		rows, err := c.api.query(context.WithoutCancel(ctx), "read currencies", "SELECT id, symbol FROM currency ORDER BY id")
		if err != nil {
			return nil, err
		}
		ids := make(map[string]string, len(rows))
		for _, row := range rows {
			if code := row.text("symbol"); code != "" {
				ids[code] = row.text("id")
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ids = ids
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return fault.New(fault.Transient, "netsuite: read currencies", "%w", ctx.Err())
	case r := <-ch:
		return r.Err
	}
}
