package endurance

import (
	"fmt"
	"net/http/httptest"
	"time"

	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// portal is a sandbox of HubSpot with many companies and contacts.
type portal struct {
	box    *hubspotbox.Box
	server *httptest.Server
	counts map[string]int // by object
	calls  int            // before the backfill
}

// listPage is the most objects of one list call at HubSpot.
const listPage = 100

func newPortal(objects int) (*portal, error) {
	box, err := hubspotbox.New(hubspotbox.Options{PerTenSeconds: -1})
	if err != nil {
		return nil, err
	}
	p := &portal{box: box, counts: map[string]int{"company": objects / 2, "contact": objects - objects/2}}
	for object, n := range p.counts {
		err := box.AddBulk(hubspotbox.Bulk{
			Object: object, Count: n, Modified: time.Now().UTC().Add(-24 * time.Hour).Truncate(time.Millisecond), Step: time.Millisecond,
			Properties: func(i int) map[string]string {
				if object == "company" {
					return map[string]string{"name": fmt.Sprintf("Company %d", i), "city": "Springfield", "phone": fmt.Sprintf("+1 555 %07d", i)}
				}
				return map[string]string{"firstname": "Pat", "lastname": fmt.Sprintf("Doe %d", i), "email": fmt.Sprintf("pat.doe.%d@example.com", i)}
			},
		})
		if err != nil {
			box.Close()
			return nil, fmt.Errorf("seed %s: %w", object, err)
		}
	}
	p.server = httptest.NewServer(box)
	return p, nil
}

func (p *portal) close() {
	p.server.Close()
	p.box.Close()
}

// leastCalls is how many it takes to list everything.
func (p *portal) leastCalls() int {
	n := 0
	for _, objects := range p.counts {
		n += (objects + listPage - 1) / listPage
	}
	return n
}

// config is Spoke's, in front of the portal. The limits are not those of a real
// account: what is measured is Spoke.
func (p *portal) config(data, listen string) string {
	return fmt.Sprintf(`tenant: bulk
data: %q
http: {listen: %s}
connections:
  hubspot:
    kind: hubspot
    limits: {per_second: 10000, burst: 10000, background: 1}
    settings:
      url: %s
      token: "literal:%s"
      portal_id: %d
      client_secrets: ["literal:%s"]
`, data, listen, p.server.URL, hubspotbox.DefaultToken, hubspotbox.DefaultPortalID, hubspotbox.DefaultClientSecret)
}
