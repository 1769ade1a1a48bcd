package netsuitebox

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The part of SuiteQL that is understood: one table, left joins on equality,
// a condition, an order, the functions TO_CHAR and TO_DATE, and SYSDATE.

type selectStmt struct {
	Columns []*selected `parser:"'SELECT' @@ ( ',' @@ )*"`
	From    *table      `parser:"'FROM' @@"`
	Joins   []*join     `parser:"@@*"`
	Where   *anyOf      `parser:"( 'WHERE' @@ )?"`
	Order   []*operand  `parser:"( 'ORDER' 'BY' @@ ( ',' @@ )* )?"`
}

type selected struct {
	Value *operand `parser:"@@"`
	Alias string   `parser:"( 'AS' @Ident )?"`
}

type table struct {
	Name  string `parser:"@Ident"`
	Alias string `parser:"@Ident?"`
}

type join struct {
	Left  bool     `parser:"@'LEFT'? 'JOIN'"`
	Table *table   `parser:"@@ 'ON'"`
	A     *operand `parser:"@@ '='"`
	B     *operand `parser:"@@"`
}

type anyOf struct {
	Terms []*allOf `parser:"@@ ( 'OR' @@ )*"`
}

type allOf struct {
	Terms []*condition `parser:"@@ ( 'AND' @@ )*"`
}

type condition struct {
	Group *anyOf     `parser:"'(' @@ ')'"`
	Left  *operand   `parser:"| @@"`
	In    []*operand `parser:"( 'IN' '(' @@ ( ',' @@ )* ')'"`
	Op    string     `parser:"| @Op"`
	Right *operand   `parser:"@@ )"`
}

type operand struct {
	Call   *call   `parser:"@@"`
	Column *column `parser:"| @@"`
	Text   *string `parser:"| @String"`
	Number *string `parser:"| @Number"`
}

type call struct {
	Name string     `parser:"@Ident '('"`
	Args []*operand `parser:"@@ ( ',' @@ )* ')'"`
}

type column struct {
	Table string `parser:"( @Ident '.' )?"`
	Name  string `parser:"@Ident"`
}

var suiteql = participle.MustBuild[selectStmt](
	participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
		{Name: "Keyword", Pattern: `(?i)\b(SELECT|FROM|LEFT|JOIN|ON|WHERE|AND|OR|IN|ORDER|BY|AS)\b`},
		{Name: "Ident", Pattern: `[A-Za-z_][A-Za-z0-9_]*`},
		{Name: "Number", Pattern: `-?\d+(\.\d+)?`},
		{Name: "String", Pattern: `'(?:[^']|'')*'`},
		{Name: "Op", Pattern: `<=|>=|<>|=|<|>`},
		{Name: "Punct", Pattern: `[(),.]`},
		{Name: "Space", Pattern: `\s+`},
	})),
	participle.Elide("Space"), participle.CaseInsensitive("Keyword"), participle.UseLookahead(3),
)

// maxList is how many values NetSuite's database takes in a list.
const maxList = 1000

// parse reads a query. Its errors are NetSuite's.
func parse(q string) (*selectStmt, error) {
	s, err := suiteql.ParseString("", q)
	if err != nil {
		return nil, badQuery("Invalid or unsupported search")
	}
	return s, nil
}

func badQuery(format string, args ...any) error {
	return problem{
		Code:   "INVALID_PARAMETER",
		Detail: "Invalid search query. Detailed unprocessed description follows. Search error occurred: " + fmt.Sprintf(format, args...) + ".",
	}
}

func unquote(literal string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(literal, "'"), "'"), "''", "'")
}
