package netsuite

import (
	"context"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// price is one price of an item.
type price struct{ iso, amount string }

// prices reads the first price of each item on the configured level: that of
// the currency with the lowest id, which is the account's base currency. An
// account or role that does not show the table of prices costs only these.
func (r *reader) prices(ctx context.Context, ids []string) (map[string]price, error) {
	level := "1"
	if r.settings.Items != nil {
		level = r.settings.Items.priceLevel()
	}
	columns, order := "p.item, p.price", " ORDER BY p.item"
	if r.settings.Currency == "" {
		columns, order = columns+", p.currencypage", order+", p.currencypage"
	}
	rows, err := r.api.query(ctx, "read prices",
		"SELECT "+columns+" FROM itemprice p"+conditions(in("p.item", ids), "p.pricelevel = "+level)+order)
	if fault.Is(err, fault.Rejected) {
		r.log.Warn("NetSuite does not show the prices of items, which are left out",
			"connection", r.connection, "code", fault.As(err).Code)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string]price{}
	for _, row := range rows {
		item := row.text("item")
		if _, has := all[item]; has || row.text("price") == "" {
			continue
		}
		iso, err := r.money.iso(ctx, row.text("currencypage"))
		if err != nil {
			return nil, err
		}
		if iso != "" {
			all[item] = price{iso: iso, amount: row.text("price")}
		}
	}
	return all, nil
}
