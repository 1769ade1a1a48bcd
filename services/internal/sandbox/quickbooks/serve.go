package quickbooksbox

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// timeLayout is how QuickBooks writes times.
const timeLayout = "2006-01-02T15:04:05-07:00"

// maxRequest bounds a request's body.
const maxRequest = 1 << 20

func readBody(r *http.Request) ([]byte, error) { return io.ReadAll(io.LimitReader(r.Body, maxRequest)) }

func (b *Box) serveCompany(w http.ResponseWriter, _ *http.Request) {
	sandbox.JSON(w, http.StatusOK, b.envelope("CompanyInfo", object{
		"Id": "1", "SyncToken": "0", "domain": "QBO", "sparse": false, "CompanyName": "Sandbox Company", "Country": b.opts.Country,
	}))
}

// preferences are how the company is set up. The caller holds the lock.
func (b *Box) preferences() object {
	accounting := object{"FirstMonthOfFiscalYear": "January"}
	if b.opts.BookCloseDate != "" {
		accounting["BookCloseDate"] = b.opts.BookCloseDate
	}
	return object{
		"Id": "1", "SyncToken": "0", "domain": "QBO", "sparse": false, "AccountingInfoPrefs": accounting,
		"CurrencyPrefs":   object{"HomeCurrency": object{"value": b.opts.Currency}, "MultiCurrencyEnabled": len(b.opts.Currencies) > 0},
		"TaxPrefs":        object{"UsingSalesTax": true, "PartnerTaxEnabled": b.opts.SalesTax != ""},
		"SalesFormsPrefs": object{"CustomTxnNumbers": !b.opts.AutoNumbers, "AutoApplyCredit": false, "AutoApplyPayments": false},
	}
}

// envelope is an answer with one object.
func (b *Box) envelope(name string, o object) map[string]any {
	return map[string]any{name: o, "time": b.opts.Now().Format(timeLayout)}
}

func (b *Box) serveRead(e entity) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		o, ok := b.state.Objects[e.name][r.PathValue("id")]
		if !ok {
			writeProblem(w, notFound())
			return
		}
		sandbox.JSON(w, http.StatusOK, b.envelope(e.name, o))
	}
}

// serveWrite creates, updates, voids or deletes one object. A request id that
// was answered before gets the same answer, whatever its body says now.
func (b *Box) serveWrite(e entity) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := readBody(r)
		var in object
		if err != nil || decode(raw, &in) != nil || in == nil {
			writeProblem(w, invalid("2010", "Request has invalid or unsupported property", "the body is no JSON object", ""))
			return
		}
		q := r.URL.Query()
		id := q.Get("requestid")
		if len(id) > 50 {
			writeProblem(w, invalid("2050", "String length is either shorter or longer than supported by specification", "requestid", "requestid"))
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if answer, seen := b.state.Requests[id]; seen && id != "" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer)
			return
		}
		o, p := b.write(e, q.Get("operation"), q.Get("include"), in)
		if p != nil {
			writeProblem(w, p)
			return
		}
		answer, err := json.Marshal(b.envelope(e.name, o))
		if err != nil {
			writeProblem(w, business("the answer can't be written"))
			return
		}
		if id != "" {
			b.state.Requests[id] = answer
		}
		b.save()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}
}

// write does what a POST asks for and returns what is answered.
func (b *Box) write(e entity, operation, include string, in object) (object, *problem) {
	unknown := invalid("2010", "Request has invalid or unsupported property", "Operation "+operation+" "+include+" is not supported", "")
	void := operation == "void" && e.void == "void" || operation == "update" && include == "void" && e.void == "update"
	switch {
	case operation == "delete":
		return b.remove(e, in)
	case void:
		return b.void(e, in)
	case operation != "" && operation != "update":
		return nil, unknown
	case include != "" && include != "allowduplicatedocnum":
		return nil, unknown
	}
	b.repeats = include != ""
	defer func() { b.repeats = false }()
	if p := e.properties(in); p != nil {
		return nil, p
	}
	if id, _ := in["Id"].(string); id != "" {
		return b.update(e, in)
	}
	return b.create(e, in)
}
