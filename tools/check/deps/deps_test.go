package deps_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoke-sync/spoke/tools/check/deps"
)

const (
	hello  = "package main\n\nfunc main() { println(\"hello\") }\n"
	broken = "package main\n\nfunc main() { undefined() }\n"
	absent = "package main\n\nimport _ \"example.invalid/absent\"\n\nfunc main() {}\n"
)

func TestEnsureBuildsOnceUntilAPinChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t, hello)

	first := b.ensure(t)
	if !strings.Contains(first, "building") {
		t.Errorf("the first run did not build: %s", first)
	}
	out, err := exec.Command(b.binary).CombinedOutput()
	if err != nil || string(out) != "hello\n" {
		t.Fatalf("the built program said %q, %v", out, err)
	}
	if second := b.ensure(t); strings.Contains(second, "building") {
		t.Errorf("the second run built again: %s", second)
	}
	b.write(t, "go.sum", "# another pin\n")
	if third := b.ensure(t); !strings.Contains(third, "building") {
		t.Errorf("a changed pin did not lead to a build: %s", third)
	}
	if err := os.Remove(b.binary); err != nil {
		t.Fatal(err)
	}
	if fourth := b.ensure(t); !strings.Contains(fourth, "building") {
		t.Errorf("a missing binary did not lead to a build: %s", fourth)
	}
}

func TestEnsureLeavesOutWhatCannotBeFetched(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	b := newBench(t, hello)
	b.ensure(t)
	b.write(t, "main.go", absent)
	b.write(t, "go.sum", "# another pin\n")

	out := b.ensure(t)
	if !strings.Contains(out, "left out") {
		t.Errorf("said %s", out)
	}
	if _, err := os.Stat(b.binary); err == nil {
		t.Error("the binary of the old pin is still there")
	}
}

func TestEnsureReportsWhatDoesNotCompile(t *testing.T) {
	t.Parallel()
	b := newBench(t, broken)
	err := b.builder.Ensure(t.Context(), []deps.Tool{b.tool})
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("got %v, want the compiler's words", err)
	}
}

func TestAllArePinned(t *testing.T) {
	t.Parallel()
	for _, tool := range deps.All() {
		mod, err := os.ReadFile(filepath.Join("..", "..", "..", tool.Module, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(mod), "\ntool "+tool.Package+"\n") {
			t.Errorf("%s/go.mod has no line %q", tool.Module, "tool "+tool.Package)
		}
	}
}

// bench is a checkout with one tool in it.
type bench struct {
	builder deps.Builder
	tool    deps.Tool
	binary  string
	out     *bytes.Buffer
}

func newBench(t *testing.T, source string) bench {
	t.Helper()
	root := t.TempDir()
	b := bench{
		tool: deps.Tool{Binary: "hello", Module: "hello", Package: "example.org/hello"},
		out:  &bytes.Buffer{},
	}
	b.builder = deps.Builder{Root: root, Bin: filepath.Join(root, "bin"), Out: b.out}
	b.binary = filepath.Join(root, "bin", "hello")
	if err := os.Mkdir(filepath.Join(root, "hello"), 0o750); err != nil {
		t.Fatal(err)
	}
	b.write(t, "go.mod", "module example.org/hello\n\ngo 1.26.0\n")
	b.write(t, "go.sum", "")
	b.write(t, "main.go", source)
	return b
}

func (b bench) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.builder.Root, "hello", name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b bench) ensure(t *testing.T) string {
	t.Helper()
	b.out.Reset()
	if err := b.builder.Ensure(t.Context(), []deps.Tool{b.tool}); err != nil {
		t.Fatal(err)
	}
	return b.out.String()
}
