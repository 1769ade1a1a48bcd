package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const jaegerName = "jaeger-all-in-one"

// jaeger is a running Jaeger; the nil one is none.
type jaeger struct{ api, otlp string }

// newJaeger starts a Jaeger if there is one.
func newJaeger(t *testing.T) *jaeger {
	t.Helper()
	path := filepath.Join(os.Getenv(testBin), jaegerName)
	if _, err := os.Stat(path); os.Getenv(testBin) == "" || err != nil {
		return nil
	}
	admin, api, otlp := freeAddress(t), freeAddress(t), freeAddress(t)
	const unused = "127.0.0.1:0"
	args := []string{"--log-level=error", "--admin.http.host-port=" + admin, "--query.http-server.host-port=" + api, "--collector.otlp.http.host-port=" + otlp}
	for _, listener := range []string{
		"collector.grpc-server.host-port", "collector.http-server.host-port", "collector.otlp.grpc.host-port",
		"http-server.host-port", "processor.jaeger-binary.server-host-port", "processor.jaeger-compact.server-host-port",
		"processor.zipkin-compact.server-host-port", "query.grpc-server.host-port",
	} {
		args = append(args, "--"+listener+"="+unused)
	}
	p := start(t, path, []string{"SPAN_STORAGE_TYPE=memory", "OTEL_TRACES_SAMPLER=always_off"}, args...)
	await(t, "Jaeger is ready", func() bool { return !p.running() || answers("http://"+admin+"/") })
	require.True(t, p.running(), "Jaeger has ended")
	return &jaeger{api: "http://" + api, otlp: "http://" + otlp}
}

// tracing is the environment of a process that exports its spans.
func (j *jaeger) tracing() []string {
	if j == nil {
		return nil
	}
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + j.otlp, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY=200", // milliseconds
	}
}

// trace is one as Jaeger's API answers it.
type trace struct {
	TraceID   string `json:"traceID"`
	Spans     []span `json:"spans"`
	Processes map[string]struct {
		ServiceName string `json:"serviceName"`
	} `json:"processes"`
}

type span struct {
	SpanID     string `json:"spanID"`
	Operation  string `json:"operationName"`
	ProcessID  string `json:"processID"`
	References []struct {
		RefType string `json:"refType"`
		TraceID string `json:"traceID"`
		SpanID  string `json:"spanID"`
	} `json:"references"`
	Tags []struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	} `json:"tags"`
}

// traces returns what Jaeger has of a service; nothing when it does not
// answer.
func (j *jaeger) traces(service string) []trace {
	resp, err := client.Get(j.api + "/api/traces?limit=1000&service=" + url.QueryEscape(service))
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Data []trace }
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return nil
	}
	return answer.Data
}

// tag returns a tag of a span as text.
func (s span) tag(key string) string {
	for _, tag := range s.Tags {
		if tag.Key == key {
			return fmt.Sprint(tag.Value)
		}
	}
	return ""
}

// parent returns the id of the span that a span is a child of, or "".
func (s span) parent(traceID string) string {
	for _, r := range s.References {
		if r.RefType == "CHILD_OF" && r.TraceID == traceID {
			return r.SpanID
		}
	}
	return ""
}

func (tr trace) service(s span) string { return tr.Processes[s.ProcessID].ServiceName }

// path is a span with all above it, the root first: "service: operation".
func (tr trace) path(s span) []string {
	byID := map[string]span{}
	for _, other := range tr.Spans {
		byID[other.SpanID] = other
	}
	var path []string
	for known := true; known && len(path) <= len(tr.Spans); s, known = byID[s.parent(tr.TraceID)] {
		path = append(path, tr.service(s)+": "+s.Operation)
	}
	slices.Reverse(path)
	return path
}

// roots are the spans without a parent in the trace.
func (tr trace) roots() []span {
	return slices.DeleteFunc(slices.Clone(tr.Spans), func(s span) bool { return s.parent(tr.TraceID) != "" })
}

// written returns the paths of the spans in which a sink dealt with a
// document of a record.
func (tr trace) written(service, record, object string) [][]string {
	var paths [][]string
	for _, s := range tr.Spans {
		if tr.service(s) == service && strings.HasPrefix(s.Operation, "process desired.") &&
			s.tag("spoke.record") == record && s.tag("spoke.object") == object {
			paths = append(paths, tr.path(s))
		}
	}
	return paths
}
