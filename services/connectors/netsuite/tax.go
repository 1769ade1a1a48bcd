package netsuite

import (
	"context"
	"net/http"
	"sync"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// taxes knows whether the account has SuiteTax. REST can't set the tax of an
// account with the older feature; there NetSuite computes it.
type taxes struct {
	mu    sync.Mutex
	known bool
	suite bool
}

// allow refuses a document that sets tax where REST can't. Documents that set
// none cost no call.
func (x *taxes) allow(ctx context.Context, a *api, rec record, doc connector.Document) error {
	name := taxField(doc.Fields)
	if name == "" {
		return nil
	}
	suite, err := x.detect(ctx, a)
	if err != nil || suite {
		return err
	}
	return fault.New(fault.Rejected, "netsuite: write "+title(rec.Name), "the account has no SuiteTax, and REST sets no other tax").
		WithField(name).WithHint("take the tax fields out of the mapping and let NetSuite compute the tax, or enable SuiteTax")
}

func taxField(fields map[string]any) string {
	for _, name := range []string{"taxDetails", "taxDetailsOverride"} {
		if _, ok := fields[name]; ok {
			return name
		}
	}
	return ""
}

// detect asks the account's own description of its orders, once.
func (x *taxes) detect(ctx context.Context, a *api) (bool, error) {
	x.mu.Lock()
	known, suite := x.known, x.suite
	x.mu.Unlock()
	if known {
		return suite, nil
	}
	const op = "read the description of sales orders"
	resp, absent, err := a.do(ctx, call{
		op: op, method: http.MethodGet, path: "/record/v1/metadata-catalog/" + typeOrder,
		header: http.Header{"Accept": {"application/schema+json"}},
	})
	if err != nil {
		return false, err
	}
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	if absent || decode(resp.Body, &schema) != nil || len(schema.Properties) == 0 {
		return false, unreadable(op)
	}
	_, suite = schema.Properties["taxDetails"]
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known, x.suite = true, suite
	return suite, nil
}
