package quickbooksbox

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// query is a parsed query.
type query struct {
	count  bool
	entity string
	where  []condition
	order  string // property, "" for Id
	desc   bool
	start  int // from 1
	max    int
}

func badQuery(text string) error { return errors.New(text) }

// parseQuery reads the part of Intuit's language that the sandbox knows.
func parseQuery(text string) (query, error) {
	tokens, err := tokenize(text)
	if err != nil {
		return query{}, err
	}
	p := &parser{tokens: tokens}
	q := query{start: 1, max: defaultResults}
	p.want("SELECT")
	if p.take("*") {
		q.count = false
	} else {
		p.want("COUNT")
		p.want("(")
		p.want("*")
		p.want(")")
		q.count = true
	}
	p.want("FROM")
	q.entity = p.word()
	if p.take("WHERE") {
		q.where = append(q.where, p.condition())
		for p.take("AND") {
			q.where = append(q.where, p.condition())
		}
	}
	if p.take("ORDERBY") {
		q.order = p.word()
		q.desc = !p.take("ASC") && p.take("DESC")
	}
	if p.take("STARTPOSITION") {
		q.start = p.number(1, 1<<30)
	}
	if p.take("MAXRESULTS") {
		q.max = p.number(1, maxResults)
	}
	if p.err == nil && len(p.tokens) > 0 {
		p.fail("unexpected " + p.tokens[0].text)
	}
	return q, p.err
}

// queryToken is a word, a sign or a quoted value.
type queryToken struct {
	text   string
	quoted bool
}

func tokenize(s string) ([]queryToken, error) {
	var out []queryToken
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n':
			i++
		case c == '\'':
			value, n, ok := quotedValue(s[i:])
			if !ok {
				return nil, badQuery("a quoted value does not end")
			}
			out = append(out, queryToken{value, true})
			i += n
		case strings.HasPrefix(s[i:], "<=") || strings.HasPrefix(s[i:], ">="):
			out = append(out, queryToken{s[i : i+2], false})
			i += 2
		case strings.ContainsRune("=<>(),*", rune(c)):
			out = append(out, queryToken{string(c), false})
			i++
		default:
			n := strings.IndexAny(s[i:], " \t\n'=<>(),*")
			if n < 0 {
				n = len(s) - i
			}
			out = append(out, queryToken{s[i : i+n], false})
			i += n
		}
	}
	return out, nil
}

// quotedValue reads a value in quotes, where a backslash takes the next
// character as it is. n is how long it was.
func quotedValue(s string) (value string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '\'':
			return b.String(), i + 1, true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, false
}

// parser walks tokens and keeps its first error.
type parser struct {
	tokens []queryToken
	err    error
}

func (p *parser) fail(text string) {
	if p.err == nil {
		p.err = badQuery(text)
	}
}

func (p *parser) next() queryToken {
	if len(p.tokens) == 0 {
		p.fail("the query ends too early")
		return queryToken{}
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// take consumes a keyword or sign if it is next.
func (p *parser) take(word string) bool {
	if len(p.tokens) == 0 || p.tokens[0].quoted || !strings.EqualFold(p.tokens[0].text, word) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) want(word string) {
	if !p.take(word) {
		p.fail("expected " + word)
	}
}

func (p *parser) word() string {
	t := p.next()
	if t.quoted {
		p.fail("expected a name")
	}
	return t.text
}

func (p *parser) number(low, high int) int {
	n, err := strconv.Atoi(p.word())
	if err != nil || n < low || n > high {
		p.fail("a value is out of range. Min allowed value is 1")
		return low
	}
	return n
}

func (p *parser) condition() condition {
	c := condition{property: p.word(), operator: strings.ToUpper(p.word())}
	switch {
	case c.operator == "IN":
		p.want("(")
		c.values = append(c.values, p.value())
		for p.take(",") {
			c.values = append(c.values, p.value())
		}
		p.want(")")
	case slices.Contains([]string{"=", "<", ">", "<=", ">=", "LIKE"}, c.operator):
		c.values = []string{p.value()}
	default:
		p.fail("unknown operator " + c.operator)
		c.values = []string{""}
	}
	return c
}

// value is a quoted text; only true and false go without quotes.
func (p *parser) value() string {
	t := p.next()
	if !t.quoted && t.text != "true" && t.text != "false" {
		p.fail("a value must be in quotes")
	}
	return t.text
}
