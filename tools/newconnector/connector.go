package main

import (
	"embed"
	"errors"
	"fmt"
	"go/format"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// templates hold files of a connector whose name is vendorname.
//
//go:embed all:template
var templates embed.FS

const module = "github.com/spoke-sync/spoke"

// connector is one to be made.
type connector struct {
	root  string // of the checkout
	name  string // of the kind and the package
	title string // as people write it
}

var (
	nameForm  = regexp.MustCompile(`^[a-z][a-z0-9]{1,19}$`)
	titleForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 .&+'-]{0,39}$`)
)

// places are the folders of a connector, by the folder of its templates.
func (c connector) places() map[string]string {
	return map[string]string{
		"connector": filepath.Join("services", "connectors", c.name),
		"sandbox":   filepath.Join("services", "internal", "sandbox", c.name),
		"sink":      filepath.Join("services", c.name+"-sink"),
	}
}

// check refuses what would not become a connector, before anything is written.
func (c connector) check() error {
	switch {
	case !nameForm.MatchString(c.name):
		return fmt.Errorf("name %q: want 2 to 20 lower-case letters and digits that begin with a letter, such as xero: it becomes a package and the connection's kind", c.name)
	case token.IsKeyword(c.name), types.Universe.Lookup(c.name) != nil, slices.Contains(imported, c.name):
		return fmt.Errorf("name %q means something else where it would be imported: choose another", c.name)
	case !titleForm.MatchString(c.title):
		return fmt.Errorf("title %q: want the vendor's name in at most 40 letters, digits and spaces", c.title)
	}
	var taken []error
	for _, dir := range c.places() {
		if _, err := os.Stat(filepath.Join(c.root, dir)); err == nil {
			taken = append(taken, fmt.Errorf("%s exists", filepath.ToSlash(dir)))
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("name %q is taken: %w", c.name, errors.Join(taken...))
	}
	return nil
}

// imported are the names that the written files and the catalog import already.
var imported = []string{
	"app", "catalog", "connector", "connectortest", "embed", "errors", "events", "fault", "http", "httptest", "io", "json",
	"main", "os", "require", "rest", "sandbox", "secret", "slices", "slog", "strings", "sync", "testing", "time", "url",
}

// write writes the files and adds the connector to the catalog. It returns the
// paths from the root of the checkout.
func (c connector) write() ([]string, error) {
	entry, err := c.catalog()
	if err != nil {
		return nil, err
	}
	replace := strings.NewReplacer("vendorname", c.name, "Vendorname", c.title)
	var written []string
	for from, to := range c.places() {
		root := "template/" + from
		err := fs.WalkDir(templates, root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := templates.ReadFile(path)
			if err != nil {
				return err
			}
			name := filepath.Join(to, filepath.FromSlash(strings.TrimSuffix(strings.TrimPrefix(path, root+"/"), ".tmpl")))
			written = append(written, filepath.ToSlash(name))
			return c.save(name, replace.Replace(string(text)))
		})
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", to, err)
		}
	}
	slices.Sort(written)
	return append(written, catalogFile), c.save(catalogFile, entry)
}

// save writes a file; Go code in the form of gofmt, which orders imports by the
// new name.
func (c connector) save(name, text string) error {
	if strings.HasSuffix(name, ".go") {
		formatted, err := format.Source([]byte(text))
		if err != nil {
			return err
		}
		text = string(formatted)
	}
	path := filepath.Join(c.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a folder of the checkout
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // a file of the checkout
}

const catalogFile = "services/catalog/catalog.go"

// catalog returns the catalog with the connector in it, in the order of names.
func (c connector) catalog() (string, error) {
	text, err := os.ReadFile(filepath.Join(c.root, catalogFile))
	if err != nil {
		return "", fmt.Errorf("read the catalog: %w", err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines, imports := insert(lines, "\t\""+module+"/services/connectors/", "\t\""+module+"/services/connectors/"+c.name+"\"\n")
	lines, kinds := insert(lines, "", "\t\t"+c.name+".Kind(),\n")
	if !imports || !kinds {
		return "", fmt.Errorf("%s does not list connectors as expected: add %s by hand", catalogFile, c.name)
	}
	return strings.Join(lines, ""), nil
}

// insert adds a line to the block of lines like it, in their order. Without a
// prefix, lines are like it that end as it does and are indented as it is.
func insert(lines []string, prefix, line string) ([]string, bool) {
	last := -1
	for i, l := range lines {
		like := prefix != "" && strings.HasPrefix(l, prefix) ||
			prefix == "" && strings.HasPrefix(l, "\t\t") && strings.HasSuffix(l, ".Kind(),\n")
		if !like {
			continue
		}
		if l > line {
			return slices.Insert(lines, i, line), true
		}
		last = i
	}
	if last < 0 {
		return lines, false
	}
	return slices.Insert(lines, last+1, line), true
}

func capital(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// checkout finds the root of the checkout from a folder in it.
func checkout(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the checkout: no go.work in this folder or above it")
		}
		dir = parent
	}
}
