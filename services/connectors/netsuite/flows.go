package netsuite

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed flows/*.yaml
var flowFiles embed.FS

// flowSet is the folder of the default mappings as far as the settings ask for
// them: Spoke does nothing in an account that its user would not expect.
type flowSet struct {
	fs.FS
	names []string
}

// flows are the default mappings that go with the settings.
func (s *Settings) flows() fs.FS {
	names := []string{"contact.yaml", "customer.yaml", "sales-order.yaml"}
	pick := func(when bool, then, otherwise string) {
		if !when {
			then = otherwise
		}
		if then != "" {
			names = append(names, then)
		}
	}
	pick(s.Items != nil, "item-sync.yaml", "item.yaml")
	pick(s.Invoices == invoicesOrder, "invoice.yaml", "")
	pick(s.Invoices == invoicesOrder, "customer-payment-applied.yaml", "customer-payment.yaml")
	pick(s.Refunds != nil, "credit-memo.yaml", "")
	pick(s.Refunds != nil, "customer-refund.yaml", "")
	pick(s.DisputeTasks, "dispute-task.yaml", "")
	folder, err := fs.Sub(flowFiles, "flows")
	if err != nil {
		panic(err) // the path is a constant
	}
	return flowSet{FS: folder, names: names}
}

// ReadDir implements fs.ReadDirFS.
func (f flowSet) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(f.FS, name)
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return !slices.Contains(f.names, e.Name()) }), err
}
