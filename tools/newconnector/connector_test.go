package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copyCheckout copies the sources of this checkout to a folder of its own.
func copyCheckout(t *testing.T) string {
	t.Helper()
	root, err := checkout(".")
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	skipped := []string{".git", ".cache", "bin", "spoke-data"}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		switch {
		case slices.Contains(skipped, name) && d.IsDir():
			return fs.SkipDir
		case d.IsDir():
			return os.Mkdir(filepath.Join(to, name), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestItPassesTheSuite makes a connector in a copy of the checkout and holds it
// to what every connector is held to.
func TestItPassesTheSuite(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles a copy of the checkout, which -short leaves out")
	}
	root := copyCheckout(t)
	var out bytes.Buffer
	if err := run([]string{"-title", "Xero Books", "xero"}, filepath.Join(root, "services"), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"wrote services/connectors/xero/kind.go", "wrote services/xero-sink/main.go", "wrote services/catalog/catalog.go", "make generate"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	command := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root
		// The same build cache serves both checkouts where paths don't count.
		cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath -buildvcs=false")
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, text)
		}
		return string(text)
	}
	command("vet", "./services/catalog/...", "./services/connectors/xero", "./services/internal/sandbox/xero", "./services/xero-sink")
	tests := command("test", "-v", "./services/connectors/xero")
	for _, want := range []string{"target/create", "faults/lost_answer,_found", "abilities/delete", "meanwhile/changed_behind_our_back", "hostile/answer_without_an_end"} {
		if !strings.Contains(tests, "--- PASS: TestConformance/"+want) {
			t.Errorf("the suite did not run %s", want)
		}
	}
	if strings.Contains(tests, "--- SKIP") {
		t.Errorf("something was skipped:\n%s", tests)
	}
	command("generate", "./services/catalog")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil || !strings.Contains(string(readme), "**Xero Books**") {
		t.Errorf("the connector is not in README.md's tables (%v)", err)
	}
	if err := run([]string{"xero"}, root, io.Discard); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("a second one of the same name: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "want one name"},
		{[]string{"a", "b"}, "want one name"},
		{[]string{""}, "lower-case letters"},
		{[]string{"Xero"}, "lower-case letters"},
		{[]string{"x"}, "lower-case letters"},
		{[]string{"9lives"}, "lower-case letters"},
		{[]string{"../etc"}, "lower-case letters"},
		{[]string{"my-erp"}, "lower-case letters"},
		{[]string{strings.Repeat("x", 21)}, "lower-case letters"},
		{[]string{"func"}, "means something else"},
		{[]string{"string"}, "means something else"},
		{[]string{"connector"}, "means something else"},
		{[]string{"stripe"}, "services/connectors/stripe exists"},
		{[]string{"warehouse"}, "services/warehouse-sink exists"},
		{[]string{"-title", "two\nlines", "xero"}, "title"},
		{[]string{"-nope"}, "not defined"},
	} {
		before := files(t)
		err := run(test.args, ".", io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.args, err, test.want)
		}
		if after := files(t); !slices.Equal(before, after) {
			t.Errorf("%q: files were written", test.args)
		}
	}
}

// files lists the folders in which a connector is written.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../../services/*", "../../services/connectors/*", "../../services/internal/sandbox/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func TestInsert(t *testing.T) {
	t.Parallel()
	lines := []string{"list{\n", "\t\tbeta.Kind(),\n", "\t\tdelta.Kind(),\n", "}\n"}
	for name, want := range map[string]int{"alpha": 1, "carol": 2, "zulu": 3} {
		line := "\t\t" + name + ".Kind(),\n"
		got, ok := insert(slices.Clone(lines), "", line)
		if !ok || slices.Index(got, line) != want || len(got) != len(lines)+1 {
			t.Errorf("%s: %q, want it at %d", name, got, want)
		}
	}
	if _, ok := insert([]string{"nothing\n"}, "", "x"); ok {
		t.Error("a line was inserted where no list is")
	}
}
