package quickbooks

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Refunds say how money that was given back is booked. A refund tells an
// amount only, so that a bookkeeper decides what it is booked on.
type Refunds struct {
	// As is RefundReceipt (the default), which pays the money out of
	// RefundAccount, or CreditMemo, which leaves the customer a credit that a
	// person pays out.
	As string `yaml:"as"`
	// Item is the id of the item whose income the refund lessens.
	Item string `yaml:"item"`
	// TaxCode is the tax code of the refund's one line. The amount holds its
	// tax already, so that it should be one without tax: NON, the default, in
	// the United States. Elsewhere it is required unless tax.calculation is
	// NotApplicable.
	TaxCode string `yaml:"tax_code"`
}

func (s *Settings) validateRefunds(add func(string, ...any)) {
	r := s.Refunds
	if r == nil {
		return
	}
	if r.As != "" && r.As != objectRefundReceipt && r.As != objectCreditMemo {
		add("refunds.as: want RefundReceipt or CreditMemo")
	}
	if !isID(r.Item) {
		add("refunds.item: want the id of an item")
	}
	switch {
	case r.TaxCode == "" && !s.Tax.USAutomated && s.Tax.calculation() != taxNotApplicable:
		add("refunds.tax_code is missing: outside the United States every line needs the id of a tax code")
	case r.TaxCode != "" && !s.Tax.native(r.TaxCode):
		add("refunds.tax_code: want %s", s.Tax.form())
	}
	if r.As != objectCreditMemo && s.RefundAccount == "" && s.DepositAccount == "" {
		add("refund_account is missing: refunds are paid from it")
	}
}

// refundLines gives lines without an item the one that refunds are booked on.
// Without the setting they keep none, and QuickBooks takes its own.
func (t *target) refundLines(f fields, b body) {
	r := t.settings.Refunds
	given := f.list("Line")
	lines := b.list("Line")
	if r == nil || len(given) != len(lines) {
		return
	}
	code := r.TaxCode
	if code == "" && t.settings.Tax.USAutomated {
		code = notTaxable
	}
	for i, l := range lines {
		detail := l.inside(salesLine)
		if detail.ref("ItemRef") != "" {
			continue
		}
		detail["ItemRef"] = reference(r.Item)
		if code != "" && given[i].text("TaxCodeRef") == "" {
			detail["TaxCodeRef"] = reference(code)
		}
	}
}

// flowSet is the folder of the default mappings as far as the settings ask for
// them.
type flowSet struct {
	fs.FS
	names []string
}

// flows are the default mappings that go with the settings.
func (s *Settings) flows() fs.FS {
	names := []string{"credit-memo.yaml", "customer.yaml", "estimate.yaml", "invoice-record.yaml", "invoice.yaml", "item.yaml", "payment.yaml"}
	switch {
	case s.Refunds == nil:
	case s.Refunds.As == objectCreditMemo:
		names = append(names, "refund-credit.yaml")
	default:
		names = append(names, "refund-receipt.yaml")
	}
	folder, err := fs.Sub(flowFiles, "flows")
	if err != nil {
		panic("quickbooks: " + err.Error()) // the name of an embedded folder
	}
	return flowSet{FS: folder, names: names}
}

// ReadDir implements fs.ReadDirFS.
func (f flowSet) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(f.FS, name)
	if err != nil {
		return nil, fmt.Errorf("quickbooks: flows: %w", err)
	}
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return !slices.Contains(f.names, e.Name()) }), nil
}

// Kind describes QuickBooks Online.
func Kind() connector.Kind {
	k := kindOf(DefaultSettings())
	k.For = func(settings any) connector.Kind {
		s, ok := settings.(*Settings)
		if !ok {
			s = DefaultSettings()
		}
		return kindOf(s)
	}
	return k
}
