package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
)

// Report is what the story came to.
type Report struct {
	OK bool `json:"ok"`
	// Deals in order, with what every system holds for them.
	Deals []DealReport `json:"deals"`
	// Sandboxes has what each vendor counted since it was started.
	Sandboxes map[string]sandbox.Counts `json:"sandboxes"`
	// APICalls is the sum of the calls that Spoke made.
	APICalls int `json:"apiCalls"`
	// FirstDealSeconds is from the won deal to its numbers on HubSpot, for
	// the first deal; 0 when it had been done by an earlier run.
	FirstDealSeconds float64 `json:"firstDealSeconds"`
	Seconds          float64 `json:"seconds"`
	// Problems say what is not as it should be.
	Problems []string `json:"problems,omitempty"`
}

// DealReport is one deal in every system.
type DealReport struct {
	Deal       string            `json:"deal"`
	Name       string            `json:"name"`
	NetSuite   []string          `json:"netsuiteOrders"`
	QuickBooks []string          `json:"quickbooksInvoices"`
	Stripe     []string          `json:"stripeInvoices"`
	Paid       Payments          `json:"payments"`
	HubSpot    map[string]string `json:"hubspot"` // what Spoke wrote back
}

// Payments are the payments that stand for a deal's paid invoice.
type Payments struct {
	Stripe     string   `json:"stripe"` // amount paid, in minor units of its currency
	NetSuite   []string `json:"netsuite"`
	QuickBooks []string `json:"quickbooks"`
}

// Properties that Spoke writes to a deal.
const (
	propOrder     = "spoke_netsuite_order"
	propInvoice   = "spoke_quickbooks_invoice"
	propStripe    = "spoke_stripe_invoice"
	propPaid      = "spoke_amount_paid"
	propStatus    = "spoke_payment_status"
	propSync      = "spoke_sync_state"
	won           = "closedwon"
	storyPoll     = 50 * time.Millisecond
	dealPrefix    = "spoke-deal-"
	paymentPrefix = "spoke-payment-"
)

// Tell runs the story to its end: each deal is won, its numbers come back,
// its Stripe invoice is paid, and the payment is everywhere. What an earlier
// run has done is not done again. say gets a line for each step.
func Tell(ctx context.Context, s *Sandboxes, say func(format string, args ...any)) Report {
	began := time.Now()
	r := Report{}
	for i, d := range deals {
		start := time.Now()
		fresh := s.HubSpot.Deal(d.ID)["dealstage"] != won
		if fresh {
			say("deal %s is won: %s", d.ID, d.Name)
			if err := s.HubSpot.SetDeal(d.ID, map[string]string{"dealstage": won}); err != nil {
				r.Problems = append(r.Problems, err.Error())
			}
		} else {
			say("deal %s was won in an earlier run", d.ID)
		}
		if !s.wait(ctx, d.ID, propOrder, propInvoice, propStripe) {
			r.Problems = append(r.Problems, fmt.Sprintf("deal %s: its numbers did not come back to HubSpot", d.ID))
			continue
		}
		if i == 0 && fresh {
			r.FirstDealSeconds = time.Since(start).Seconds()
			say("deal %s: its numbers are back on HubSpot after %.1f s", d.ID, r.FirstDealSeconds)
		}
		if err := s.pay(d.ID, say); err != nil {
			r.Problems = append(r.Problems, err.Error())
		}
	}
	for _, d := range deals {
		if !s.settled(ctx, d.ID) {
			r.Problems = append(r.Problems, fmt.Sprintf("deal %s: its payment did not arrive everywhere", d.ID))
		}
	}
	s.fill(&r)
	r.Seconds = time.Since(began).Seconds()
	r.OK = len(r.Problems) == 0
	return r
}

// wait polls the deal in HubSpot until all properties have a value.
func (s *Sandboxes) wait(ctx context.Context, deal string, properties ...string) bool {
	return poll(ctx, func() bool {
		p := s.HubSpot.Deal(deal)
		return !slices.ContainsFunc(properties, func(name string) bool { return p[name] == "" })
	})
}

func poll(ctx context.Context, done func() bool) bool {
	for !done() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(storyPoll):
		}
	}
	return true
}

// pay pays the deal's open Stripe invoice, as its customer would.
func (s *Sandboxes) pay(deal string, say func(string, ...any)) error {
	inv, ok := s.invoice(deal)
	if !ok {
		return fmt.Errorf("deal %s: no Stripe invoice", deal)
	}
	if inv.Status == "paid" {
		return nil
	}
	say("the customer pays Stripe invoice %s", inv.Number)
	return s.Stripe.Pay(inv.ID, 0)
}

func (s *Sandboxes) invoice(deal string) (stripebox.Invoice, bool) {
	all := s.Stripe.Invoices()
	i := slices.IndexFunc(all, func(inv stripebox.Invoice) bool { return inv.Key == dealPrefix+deal })
	if i < 0 {
		return stripebox.Invoice{}, false
	}
	return all[i], true
}

// settled waits until the payment of a deal is in every system.
func (s *Sandboxes) settled(ctx context.Context, deal string) bool {
	return poll(ctx, func() bool {
		d := s.deal(deal, "")
		return d.HubSpot[propStatus] == "paid" && d.HubSpot[propSync] == "synced" &&
			len(d.Paid.NetSuite) > 0 && len(d.Paid.QuickBooks) > 0
	})
}

// fill gathers what every system holds, and complains about doubles.
func (s *Sandboxes) fill(r *Report) {
	for _, d := range deals {
		dr := s.deal(d.ID, d.Name)
		for what, n := range map[string]int{
			"NetSuite sales orders": len(dr.NetSuite), "QuickBooks invoices": len(dr.QuickBooks), "Stripe invoices": len(dr.Stripe),
			"NetSuite payments": len(dr.Paid.NetSuite), "QuickBooks payments": len(dr.Paid.QuickBooks),
		} {
			if n != 1 {
				r.Problems = append(r.Problems, fmt.Sprintf("deal %s: %d %s, want 1", d.ID, n, what))
			}
		}
		r.Deals = append(r.Deals, dr)
	}
	slices.Sort(r.Problems)
	r.Sandboxes = map[string]sandbox.Counts{
		"hubspot": s.HubSpot.Counts(), "netsuite": s.NetSuite.Counts(),
		"quickbooks": s.QuickBooks.Counts(), "stripe": s.Stripe.Counts(),
	}
	for _, c := range r.Sandboxes {
		r.APICalls += c.TotalCalls()
	}
}

// deal gathers one deal.
func (s *Sandboxes) deal(id, name string) DealReport {
	r := DealReport{Deal: id, Name: name, HubSpot: map[string]string{}}
	for k, v := range s.HubSpot.Deal(id) {
		if len(k) > 6 && k[:6] == "spoke_" {
			r.HubSpot[k] = v
		}
	}
	for _, o := range s.NetSuite.Orders() {
		if o.ExternalID == dealPrefix+id {
			r.NetSuite = append(r.NetSuite, o.Number)
		}
	}
	payments := map[string]bool{}
	for _, inv := range s.Stripe.Invoices() {
		if inv.Key != dealPrefix+id {
			continue
		}
		r.Stripe = append(r.Stripe, inv.Number)
		r.Paid.Stripe = fmt.Sprint(inv.Paid)
		for _, p := range s.Stripe.Intents(inv.ID) {
			payments[paymentPrefix+"stripe-"+p] = true
		}
	}
	for _, p := range s.NetSuite.Payments() {
		if payments[p.ExternalID] {
			r.Paid.NetSuite = append(r.Paid.NetSuite, p.Number)
		}
	}
	s.quickbooks(id, &r)
	return r
}

// quickbooks finds the deal's invoice by its number, and the payments that are
// linked to it.
func (s *Sandboxes) quickbooks(id string, r *DealReport) {
	ids := map[string]bool{}
	for _, inv := range s.QuickBooks.Invoices() {
		if inv["DocNumber"] == "HS-"+id {
			r.QuickBooks = append(r.QuickBooks, fmt.Sprint(inv["DocNumber"]))
			ids[fmt.Sprint(inv["Id"])] = true
		}
	}
	for _, p := range s.QuickBooks.Payments() {
		if ids[linkedInvoice(p)] {
			r.Paid.QuickBooks = append(r.Paid.QuickBooks, fmt.Sprint(p["Id"]))
		}
	}
}

// linkedInvoice returns the invoice that a payment's first line is for.
func linkedInvoice(payment map[string]any) string {
	lines, _ := payment["Line"].([]any)
	for _, l := range lines {
		line, _ := l.(map[string]any)
		linked, _ := line["LinkedTxn"].([]any)
		for _, t := range linked {
			if txn, _ := t.(map[string]any); txn["TxnType"] == "Invoice" {
				return fmt.Sprint(txn["TxnId"])
			}
		}
	}
	return ""
}
