package torture

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// setup is how a kind of run is set up.
type setup struct {
	replicas  int               // of each service
	companies int               // of the portal, with two deals each
	limits    map[string]string // by vendor
	// wired puts proxies between the services and what they call.
	wired bool
	relay relayPlan
	quiet time.Duration // see Options
	// flows are the texts of further flows; ownHub leaves out HubSpot's default
	// ones.
	flows  []string
	ownHub bool
	// held keeps webhooks back; see mailbox.
	held bool
}

// mixed is the run with troubles of every kind. The rates are those of sandboxes
// on this machine, so that a run takes minutes.
func mixed() setup {
	return setup{
		replicas: 2, companies: 60, limits: map[string]string{}, wired: true,
		relay: relayPlan{repeat: 0.2, delay: 0.3}, quiet: 5 * time.Minute,
	}
}

// vendorLimits are a vendor's where a setup has no others.
const vendorLimits = "{per_second: 400, burst: 100, concurrent: 5}"

// writeConfig writes spoke.yaml and the flows that it names.
func (r *run) writeConfig(boxes *demo.Sandboxes) error {
	text := boxes.Config(filepath.Join(r.Dir, "data"), strings.TrimPrefix(r.relay.url, "http://"))
	for _, v := range vendors {
		text = strings.Replace(text, "    kind: "+v+"\n", "    kind: "+v+"\n    limits: "+cmp.Or(r.limits[v], vendorLimits)+"\n", 1)
	}
	if r.ownHub {
		text = strings.Replace(text, "    kind: hubspot\n", "    kind: hubspot\n    default_flows: false\n", 1)
	}
	for i, flow := range r.flows {
		name := fmt.Sprintf("flow-%d.yaml", i)
		if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(flow), 0o600); err != nil {
			return err
		}
		if i == 0 {
			text += "flows:\n"
		}
		text += "  - " + name + "\n"
	}
	r.config = filepath.Join(r.Dir, "spoke.yaml")
	return os.WriteFile(r.config, []byte(text), 0o600)
}
