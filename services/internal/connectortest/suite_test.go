package connectortest_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/connectortest"
)

func TestSuitePassesARightConnector(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, toyCase(""))
}

// TestSuiteFailsWrongConnectors proves that each check can fail: a suite that
// lets everything through would be worse than none.
func TestSuiteFailsWrongConnectors(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		"object twice":             {"kind/objects"},
		"flow of an unknown field": {"kind/flows"},
		"no results":               {"target/create", "target/batch"},
		"posts":                    {"target/repeat", "meanwhile/changed behind our back", "faults/lost answer, found", "faults/lost answer, changed meanwhile", "faults/lost answer, repeated"},
		"updates nothing":          {"target/update"},
		"finds nothing":            {"target/find", "faults/lost answer, found", "faults/lost answer, changed meanwhile"},
		"checks nothing":           {"target/check", "faults/unreachable"},
		"takes anything":           {"target/unknown object", "target/void and delete"},
		"ignores its context":      {"target/cancelled"},
		"strange fields":           {"target/create"},
		"shows another value":      {"target/seen"},
		"sends another value":      {"target/seen"},
		"errors without kind":      {"faults/throttled", "faults/unreachable", "target/cancelled"},
		"errors of another name":   {"faults/throttled", "webhooks/forged", "reader/faults"},
		"errors with secrets":      {"faults/server error", "webhooks/broken"},
		"every error is transient": {"faults/throttled", "faults/service unavailable", "faults/expired for good", "webhooks/forged"},
		"answers unread":           {"faults/page instead of an answer", "faults/answer breaks off", "faults/empty answer", "faults/null answer", "faults/error with status 200"},
		"any 404 is absence":       {"faults/page that says not found"},
		"declares too much":        {"abilities/create", "abilities/update", "abilities/delete", "abilities/read", "abilities/webhook"},
		"declares too little":      {"abilities/create", "abilities/update", "abilities/read", "abilities/webhook"},
		"reads the undeclared":     {"abilities/read"},
		"hears of another":         {"meanwhile/from webhook to object"},
		"follows redirects":        {"hostile/redirect to another host"},
		"reads to the end":         {"hostile/answer without an end"},
		"blind to references":      {"target/missing reference"},
		"leaves the missing out":   {"reader/missing"},
		"verifies anything":        {"webhooks/forged"},
		"ids by the clock":         {"webhooks/genuine"},

		"feed of an unknown object": {"kind/feeds"},
		"feed that nobody tests":    {"kind/feeds"},
		"skips one between pages":   {"scan/everything thing", "scan/resume thing"},
		"begins pages too early":    {"scan/everything thing"},
		"pages too large":           {"scan/everything thing"},
		"place in memory":           {"scan/resume thing"},
		"never ends":                {"scan/everything thing"},
		"times by the clock":        {"scan/repeat thing"},
		"neither snapshot":          {"scan/everything thing"},
		"since when":                {"scan/since thing"},
		"since tomorrow":            {"scan/since thing"},
		"keeps deletions to itself": {"scan/deleted thing"},
		"takes any token":           {"scan/stale token thing"},
		"refuses without a kind":    {"scan/stale token thing"},
		"scans anything":            {"scan/unknown feed"},
		"scans on":                  {"scan/faults thing"},
	}
	for wrong, names := range cases {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			checks := map[string]connectortest.Check{}
			for _, c := range connectortest.Checks(t, toyCase(wrong)) {
				checks[c.Name] = c
			}
			for _, name := range names {
				require.Contains(t, checks, name)
				require.NotEmptyf(t, record(t, checks[name]), "%q passes a connector that %q", name, wrong)
			}
		})
	}
}

// record runs a check and returns its failures instead of failing.
func record(t *testing.T, c connectortest.Check) []string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(r)
	}()
	<-done
	return r.failures
}

// recorder is a testing.TB that takes failures down.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
