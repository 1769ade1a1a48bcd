package torture

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestDeliveries: every notice is in one delivery, in order, and no delivery is
// larger than its vendor's or mixes vendors.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SliceOfN(rapid.SampledFrom([]string{"hubspot", "quickbooks", "stripe"}), 0, 500).Draw(t, "vendors")
		want, got := map[string][]string{}, map[string][]string{}
		notices := make([]notice, len(of))
		for i, vendor := range of {
			notices[i] = notice{vendor, json.RawMessage(fmt.Sprint(i))}
			want[vendor] = append(want[vendor], fmt.Sprint(i))
		}
		for _, d := range deliveries(notices, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))) {
			require.NotEmpty(t, d)
			require.LessOrEqual(t, len(d), largest[d[0].vendor])
			for _, n := range d {
				require.Equal(t, d[0].vendor, n.vendor)
				got[n.vendor] = append(got[n.vendor], string(n.raw))
			}
		}
		require.Equal(t, want, got)
	})
}
