package stripebox

import (
	"html/template"
	"net/http"
)

// hostedPage is what hosted_invoice_url shows: the customer's view of an
// invoice, with a button that pays it.
const hostedPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Invoice {{.Number}}</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}td,th{padding:.3rem .8rem .3rem 0;text-align:left}
td:last-child,th:last-child{text-align:right}button{font:inherit;padding:.5rem 1.5rem}</style>
<h1>Invoice {{.Number}}</h1>
<p>Status: <strong>{{.Status}}</strong></p>
<table><tr><th>Item<th>Quantity<th>Amount</tr>
{{range .Lines}}<tr><td>{{.Description}}<td>{{.Quantity}}<td>{{.Amount}}</tr>
{{end}}<tr><th>Total<th><th>{{.Total}}</tr><tr><th>Still to pay<th><th>{{.Remaining}}</tr></table>
{{if .Payable}}<form method="post" action="/_sandbox/pay"><input type="hidden" name="invoice" value="{{.ID}}">
<button>Pay {{.Remaining}}</button></form>{{end}}
<p><small>A page of Spoke's Stripe sandbox. No money moves.</small></p></html>
`

type pageLine struct{ Description, Quantity, Amount string }

type pageData struct {
	ID, Number, Status, Total, Remaining string
	Payable                              bool
	Lines                                []pageLine
}

func (b *Box) servePage(w http.ResponseWriter, r *http.Request) {
	data, ok := b.pageOf(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page := template.Must(template.New("invoice").Parse(hostedPage))
	if err := page.Execute(w, data); err != nil {
		b.opt.Log.Debug("invoice page", "err", err) // the reader left
	}
}

func (b *Box) pageOf(id string) (pageData, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.state.Invoices.Rows[id]
	if i == nil || i.Status == "draft" {
		return pageData{}, false
	}
	data := pageData{
		ID: id, Number: deref(i.Number), Status: i.Status, Payable: i.Status == "open",
		Total: show(i.Total, i.Currency), Remaining: show(i.AmountRemaining, i.Currency),
	}
	for _, x := range b.itemsOf(id) {
		data.Lines = append(data.Lines, pageLine{deref(x.Description), x.QuantityDecimal, show(x.Amount, i.Currency)})
	}
	return data, true
}
