package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// dotted is how a problem names the key that it is about.
var dotted = regexp.MustCompile(`^([a-z_]+(?:\.[^\s:]+)+)`)

// place returns where the key of a problem stands, as "file:line:column", or
// the file alone.
func (c *Config) place(problem string) string {
	m := dotted.FindString(problem)
	if m == "" {
		return c.file
	}
	if at := c.find(m); at != nil {
		p := at.GetToken().Position
		return fmt.Sprintf("%s:%d:%d", c.file, p.Line, p.Column)
	}
	return c.file
}

// find returns the key with a dotted path, or the nearest one above it.
func (c *Config) find(path string) (nearest ast.Node) {
	f, err := parser.ParseBytes(c.text, 0)
	if err != nil || len(f.Docs) == 0 {
		return nil // it was read before, so this is not reached
	}
	node := f.Docs[0].Body
	for path != "" {
		m, ok := node.(ast.MapNode)
		if !ok {
			return nearest
		}
		found := false
		for it := m.MapRange(); it.Next() && !found; {
			key := it.Key().GetToken().Value // which may hold dots itself
			rest, ok := strings.CutPrefix(path, key)
			if !ok || rest != "" && rest[0] != '.' {
				continue
			}
			nearest, node, path, found = it.Key(), it.Value(), strings.TrimPrefix(rest, "."), true
		}
		if !found {
			return nearest
		}
	}
	return nearest
}
