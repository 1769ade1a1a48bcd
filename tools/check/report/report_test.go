package report_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spoke-sync/spoke/tools/check/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each stream was recorded from `go test -json` over small packages; its golden file is what a
// person gets to read.
func TestRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		stream                  string
		passed, failed, skipped int
	}{
		{stream: "passes", passed: 5},
		{stream: "cached", passed: 1},
		{stream: "failures", passed: 4, failed: 3, skipped: 3},
		{stream: "builds", passed: 5, failed: 3},
		{stream: "dies", passed: 1, failed: 2},
		{stream: "killed", failed: 1},
		{stream: "skips", passed: 4, failed: 2, skipped: 4},
	}
	for _, test := range tests {
		t.Run(test.stream, func(t *testing.T) {
			t.Parallel()
			stream, err := os.Open(filepath.Join("testdata", test.stream+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()

			var out bytes.Buffer
			summary, err := report.NewReader(&out, "example.org/shop").Read(stream)
			if err != nil {
				t.Fatal(err)
			}
			summary.Print(&out)
			if summary.Passed != test.passed || summary.Failed != test.failed || len(summary.Skipped) != test.skipped {
				t.Errorf("counted %d passed, %d failed, %d skipped; want %d, %d, %d", summary.Passed, summary.Failed,
					len(summary.Skipped), test.passed, test.failed, test.skipped)
			}
			golden(t, test.stream+".golden", out.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestSkipReasons(t *testing.T) {
	t.Parallel()
	const head = `{"Action":"run","Package":"p","Test":"TestX"}` + "\n"
	const tail = `{"Action":"skip","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n"
	tests := map[string]struct{ output, want string }{
		"one line":   {`    x_test.go:7: no nats-server\n`, "no nats-server"},
		"two lines":  {`    x_test.go:7: tried twice\n        and gave up\n`, "tried twice and gave up"},
		"no words":   {`--- SKIP: TestX (0.00s)\n`, "no reason given"},
		"own output": {`=== RUN   TestX\n=== NAME  TestX\n    some-file.go:1: why: because\n`, "why: because"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := `{"Action":"output","Package":"p","Test":"TestX","Output":"` + test.output + `"}` + "\n"
			summary, err := report.NewReader(&bytes.Buffer{}, "").Read(strings.NewReader(head + said + tail))
			if err != nil {
				t.Fatal(err)
			}
			if len(summary.Skipped) != 1 || summary.Skipped[0].Reason != test.want {
				t.Errorf("skipped %+v, want the reason %q", summary.Skipped, test.want)
			}
		})
	}
}

func TestPrintNamesWhatIsAllowed(t *testing.T) {
	t.Parallel()
	summary := report.Summary{Packages: 1, Passed: 1, Skipped: []report.Skipped{
		{Package: "p", Test: "TestX", Reason: "no nats-server"},
		{Package: "p", Test: "TestY", Reason: "no file system can be mounted through FUSE here: permission denied"},
	}}
	var out bytes.Buffer
	summary.Print(&out)
	const want = "skipped:\n  p TestX: no nats-server\n" +
		"  p TestY: no file system can be mounted through FUSE here: permission denied (allowed in CI)\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("got:\n%s\nwant at its end:\n%s", out.String(), want)
	}
	if n := summary.Unexcused(); n != 1 {
		t.Errorf("%d skips count, want 1", n)
	}
}

func TestReadReportsABrokenStream(t *testing.T) {
	t.Parallel()
	broken := errors.New("pipe broke")
	_, err := report.NewReader(&bytes.Buffer{}, "").Read(brokenReader{broken})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"Action":"pass","Package":"p"}`))
	f.Add([]byte("not json\n{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"/\"}"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		summary, err := report.NewReader(&bytes.Buffer{}, "").Read(bytes.NewReader(stream))
		if err != nil {
			t.Fatal(err)
		}
		if summary.Passed < 0 || summary.Packages < summary.Untested {
			t.Errorf("impossible totals: %+v", summary)
		}
	})
}

// TestBroken: only a package whose failure is that of tests which ran to their end can be run once
// more.
func TestBroken(t *testing.T) {
	t.Parallel()
	const start, fail, over = `{"Action":"run","Package":"p","Test":"TestA"}`, `{"Action":"fail","Package":"p","Test":"TestA"}`, `{"Action":"fail","Package":"p"}`
	for name, test := range map[string]struct {
		lines   []string
		broken  []string
		unclear bool
	}{
		"a test":               {[]string{start, fail, over}, []string{"TestA"}, false},
		"a subtest":            {[]string{start, `{"Action":"fail","Package":"p","Test":"TestA/x"}`, fail, over}, []string{"TestA"}, false},
		"a test without end":   {[]string{start, over}, nil, true},
		"beside one that died": {[]string{start, fail, `{"Action":"run","Package":"p","Test":"TestB"}`, over}, nil, true},
		"no test":              {[]string{start, `{"Action":"pass","Package":"p","Test":"TestA"}`, over}, nil, true},
		"no build":             {[]string{`{"Action":"fail","Package":"p","FailedBuild":"p"}`}, nil, true},
		"the go command died":  {[]string{start, fail}, nil, true},
		"nothing":              {[]string{start, `{"Action":"pass","Package":"p","Test":"TestA"}`, `{"Action":"pass","Package":"p"}`}, nil, false},
	} {
		s, err := report.NewReader(&bytes.Buffer{}, "example.org").Read(strings.NewReader(strings.Join(test.lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Broken["p"], test.broken) || s.Unclear != test.unclear {
			t.Errorf("%s: %v, %t; want %v, %t", name, s.Broken["p"], s.Unclear, test.broken, test.unclear)
		}
	}
}
