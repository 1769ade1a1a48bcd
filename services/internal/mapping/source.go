package mapping

import (
	"errors"
	"slices"
	"strings"

	"cel.dev/cel-go/common"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// source is a flow file with what is needed to point into it.
type source struct {
	file  string
	lines []string
}

func newSource(file string, text []byte) *source {
	return &source{file: file, lines: strings.Split(string(text), "\n")}
}

func (s *source) at(line, column int, message string) Diagnostic {
	d := Diagnostic{File: s.file, Line: max(line, 1), Column: max(column, 1), Message: message}
	if line >= 1 && line <= len(s.lines) {
		d.Source = strings.TrimRight(s.lines[line-1], "\r")
	}
	return d
}

// within points into an expression that begins at line and column; a column of
// 0 is that of a block, which is as far in as its first line.
func (s *source) within(line, column int, at common.Location, message string) Diagnostic {
	switch {
	case column == 0 && line <= len(s.lines):
		first := s.lines[line-1]
		column = len(first) - len(strings.TrimLeft(first, " ")) + 1
	case at.Line() > 1:
		column = 1
	}
	return s.at(line+at.Line()-1, column+at.Column(), message)
}

func (s *source) atNode(n ast.Node, message string) Diagnostic {
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return s.at(1, 1, message)
	}
	return s.at(t.Position.Line, t.Position.Column, message)
}

// entry is one key of a YAML mapping.
type entry struct {
	key   string
	node  ast.Node // of the key
	value ast.Node
}

// documents parses the file; each document is one flow.
func (s *source) documents(text []byte) ([][]entry, Diagnostics) {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, Diagnostics{s.syntax(err)}
	}
	var docs [][]entry
	var problems Diagnostics
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		if _, comment := d.Body.(*ast.CommentGroupNode); comment {
			continue
		}
		entries, ok := mapping(d.Body)
		if !ok {
			problems = append(problems, s.atNode(d.Body, "a flow is a mapping that begins with flow: <name>"))
			continue
		}
		docs = append(docs, entries)
	}
	return docs, problems
}

func (s *source) syntax(err error) Diagnostic {
	var positioned interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &positioned) && positioned.GetToken() != nil {
		p := positioned.GetToken().Position
		return s.at(p.Line, p.Column, "YAML: "+positioned.GetMessage())
	}
	return s.at(1, 1, "YAML: "+yaml.FormatError(err, false, false))
}

// mapping returns the entries of a mapping node in order.
func mapping(n ast.Node) ([]entry, bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		return nil, false
	}
	var entries []entry
	for it := m.MapRange(); it.Next(); {
		key := it.Key()
		entries = append(entries, entry{key: key.GetToken().Value, node: key, value: it.Value()})
	}
	return entries, true
}

// scalar returns the text of a scalar and where its content begins; see within
// for a column of 0.
func scalar(n ast.Node) (text string, line, column int, ok bool) {
	switch x := n.(type) {
	case *ast.LiteralNode: // a block scalar begins on the next line
		v := x.Value
		if v == nil || v.GetToken() == nil {
			return "", 0, 0, false
		}
		return v.Value, x.GetToken().Position.Line + 1, 0, true
	case *ast.StringNode:
		t := x.GetToken()
		column = t.Position.Column
		if t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
			column++
		}
		return x.Value, t.Position.Line, column, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		t := n.GetToken()
		return t.Value, t.Position.Line, t.Position.Column, true
	}
	return "", 0, 0, false
}

// closest suggests a known name for a mistyped one.
func closest(name string, known []string) string {
	best, distance := "", 3
	slices.Sort(known)
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			above := row[j]
			if a[i-1] == b[j-1] {
				row[j] = diagonal
			} else {
				row[j] = 1 + min(diagonal, above, row[j-1])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
