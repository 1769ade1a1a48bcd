package netsuitebox

import (
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// relation is a table with its columns. Values are texts, times, or nil.
type relation struct {
	columns []string
	rows    []map[string]any
}

// tuple is one row of each joined table, by alias.
type tuple map[string]map[string]any

// query evaluates one statement.
type query struct {
	box       *Box
	relations map[string]relation // by alias
	order     []string            // aliases as they were joined
}

// run returns the selected rows, every one of them, in order.
func (b *Box) run(s *selectStmt) ([]map[string]string, error) {
	q := &query{box: b, relations: map[string]relation{}}
	if err := q.add(s.From); err != nil {
		return nil, err
	}
	for _, j := range s.Joins {
		if err := q.add(j.Table); err != nil {
			return nil, err
		}
	}
	if err := q.check(s); err != nil {
		return nil, err
	}
	tuples := q.tuples(s)
	var kept []tuple
	for _, t := range tuples {
		if s.Where == nil || q.any(s.Where, t) {
			kept = append(kept, t)
		}
	}
	slices.SortStableFunc(kept, func(a, c tuple) int {
		for _, o := range s.Order {
			if d := compare(q.value(o, a), q.value(o, c)); d != 0 {
				return d
			}
		}
		return 0
	})
	out := make([]map[string]string, 0, len(kept))
	for _, t := range kept {
		row := map[string]string{}
		for _, c := range s.Columns {
			if v := b.shownValue(q.value(c.Value, t)); v != "" { // nulls are left out
				row[c.name()] = v
			}
		}
		out = append(out, row)
	}
	return out, nil
}

func (c *selected) name() string {
	switch {
	case c.Alias != "":
		return strings.ToLower(c.Alias)
	case c.Value.Column != nil:
		return strings.ToLower(c.Value.Column.Name)
	default:
		return "expr1"
	}
}

func (q *query) add(t *table) error {
	name := strings.ToLower(t.Name)
	r, ok := q.box.relation(name)
	if !ok {
		return badQuery("Record '%s' was not found", name)
	}
	alias := strings.ToLower(t.Alias)
	if alias == "" {
		alias = name
	}
	q.relations[alias] = r
	q.order = append(q.order, alias)
	return nil
}

// check looks at every column and function before a row is read, so that an
// empty table refuses what a full one would.
func (q *query) check(s *selectStmt) error {
	var all []*operand
	for _, c := range s.Columns {
		all = append(all, c.Value)
	}
	for _, j := range s.Joins {
		all = append(all, j.A, j.B)
	}
	all = append(all, s.Order...)
	if s.Where != nil {
		all = append(all, s.Where.operands()...)
		if s.Where.longest() > maxList {
			return badQuery("maximum number of expressions in a list is %d", maxList)
		}
	}
	for _, o := range all {
		if err := q.checkOperand(o); err != nil {
			return err
		}
	}
	return nil
}

func (q *query) checkOperand(o *operand) error {
	switch {
	case o.Call != nil:
		if name := strings.ToUpper(o.Call.Name); name != "TO_CHAR" && name != "TO_DATE" || len(o.Call.Args) != 2 || o.Call.Args[1].Text == nil {
			return badQuery("Function '%s' is unknown or has wrong arguments", o.Call.Name)
		}
		if _, ok := layouts[unquote(*o.Call.Args[1].Text)]; !ok {
			return badQuery("Invalid date mask")
		}
		return q.checkOperand(o.Call.Args[0])
	case o.Column != nil:
		if o.Column.sysdate() {
			return nil
		}
		if _, ok := q.owner(o.Column); !ok {
			return badQuery("Field '%s' for record '%s' was not found", o.Column.Name, q.order[0])
		}
	}
	return nil
}

func (c *column) sysdate() bool { return c.Table == "" && strings.EqualFold(c.Name, "SYSDATE") }

// owner is the alias of the table that a column belongs to.
func (q *query) owner(c *column) (string, bool) {
	name := strings.ToLower(c.Name)
	if c.Table != "" {
		alias := strings.ToLower(c.Table)
		return alias, slices.Contains(q.relations[alias].columns, name)
	}
	for _, alias := range q.order {
		if slices.Contains(q.relations[alias].columns, name) {
			return alias, true
		}
	}
	return "", false
}

func (a *anyOf) each(f func(*condition)) {
	for _, all := range a.Terms {
		for _, c := range all.Terms {
			if c.Group != nil {
				c.Group.each(f)
				continue
			}
			f(c)
		}
	}
}

func (a *anyOf) operands() []*operand {
	var all []*operand
	a.each(func(c *condition) {
		all = append(append(all, c.Left), c.In...)
		if c.Right != nil {
			all = append(all, c.Right)
		}
	})
	return all
}

func (a *anyOf) longest() int {
	n := 0
	a.each(func(c *condition) { n = max(n, len(c.In)) })
	return n
}

func (q *query) tuples(s *selectStmt) []tuple {
	var all []tuple
	for _, r := range q.relations[q.order[0]].rows {
		all = append(all, tuple{q.order[0]: r})
	}
	for i, j := range s.Joins {
		all = q.join(all, j, q.order[i+1])
	}
	return all
}

// join puts the rows of a table beside the tuples that they belong to.
func (q *query) join(all []tuple, j *join, alias string) []tuple {
	rows, theirs := q.partners(j, alias)
	var next []tuple
	for _, t := range all {
		found := false
		for _, r := range rows[joinKey(q.value(theirs, t))] {
			with := tuple{alias: r}
			for k, v := range t {
				with[k] = v
			}
			next, found = append(next, with), true
		}
		if !found && j.Left {
			next = append(next, t)
		}
	}
	return next
}

// partners are the rows of a joined table by what they are joined on, and the
// side of the equation that is not theirs. Large accounts are read whole by a
// feed, so that comparing each row with each would hold up all calls.
func (q *query) partners(j *join, alias string) (rows map[string][]map[string]any, theirs *operand) {
	own, theirs := j.B, j.A
	if c := j.A.Column; c != nil {
		if of, _ := q.owner(c); of == alias {
			own, theirs = j.A, j.B
		}
	}
	rows = map[string][]map[string]any{}
	for _, r := range q.relations[alias].rows {
		if v := q.value(own, tuple{alias: r}); v != nil {
			rows[joinKey(v)] = append(rows[joinKey(v)], r)
		}
	}
	return rows, theirs
}

// joinKey is the same for values that compare as equal; null is equal to nothing.
func joinKey(v any) string {
	if v == nil {
		return ""
	}
	if at, ok := v.(time.Time); ok {
		return "t" + at.UTC().Format(time.RFC3339Nano)
	}
	if d, err := events.ParseDecimal(scalarText(v)); err == nil {
		n := d.String()
		if strings.Contains(n, ".") {
			n = strings.TrimSuffix(strings.TrimRight(n, "0"), ".")
		}
		return "n" + n
	}
	return "s" + scalarText(v)
}

func (q *query) any(a *anyOf, t tuple) bool {
	return slices.ContainsFunc(a.Terms, func(all *allOf) bool {
		return !slices.ContainsFunc(all.Terms, func(c *condition) bool { return !q.holds(c, t) })
	})
}

func (q *query) holds(c *condition, t tuple) bool {
	if c.Group != nil {
		return q.any(c.Group, t)
	}
	left := q.value(c.Left, t)
	if left == nil {
		return false // null compares with nothing
	}
	if len(c.In) > 0 {
		return slices.ContainsFunc(c.In, func(o *operand) bool { v := q.value(o, t); return v != nil && compare(left, v) == 0 })
	}
	right := q.value(c.Right, t)
	if right == nil {
		return false
	}
	d := compare(left, right)
	switch c.Op {
	case "=":
		return d == 0
	case "<>":
		return d != 0
	case "<":
		return d < 0
	case "<=":
		return d <= 0
	case ">":
		return d > 0
	default:
		return d >= 0
	}
}

// layouts are the date masks that are understood.
var layouts = map[string]string{"YYYY-MM-DD HH24:MI:SS": time.DateTime, "YYYY-MM-DD": time.DateOnly}

func (q *query) value(o *operand, t tuple) any {
	switch {
	case o.Text != nil:
		return unquote(*o.Text)
	case o.Number != nil:
		return *o.Number
	case o.Column != nil:
		if o.Column.sysdate() {
			return q.box.local(q.box.opts.Now())
		}
		alias, _ := q.owner(o.Column)
		v := t[alias][strings.ToLower(o.Column.Name)]
		if at, ok := v.(time.Time); ok {
			return q.box.local(at)
		}
		return v
	}
	layout := layouts[unquote(*o.Call.Args[1].Text)]
	arg := q.value(o.Call.Args[0], t)
	if strings.EqualFold(o.Call.Name, "TO_CHAR") {
		if at, ok := arg.(time.Time); ok {
			return at.Format(layout)
		}
		return nil
	}
	text, _ := arg.(string)
	at, err := time.Parse(layout, text)
	if err != nil {
		return nil
	}
	return at
}

// local is what the account's clock showed at a time, to the second. Dates in
// queries are such readings and know no zone: an hour comes twice when the
// clocks go back.
func (b *Box) local(at time.Time) time.Time {
	at = at.In(b.opts.Zone)
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
}

// shownValue is how a value is answered: a bare date in the user's format and
// without its time.
func (b *Box) shownValue(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case time.Time:
		return x.Format("1/2/2006")
	default:
		return ""
	}
}

// compare orders times as they stand in the account's zone, numbers by value,
// and all else as text; null comes last.
func compare(a, c any) int {
	switch {
	case a == nil && c == nil:
		return 0
	case a == nil:
		return 1
	case c == nil:
		return -1
	}
	if x, ok := a.(time.Time); ok {
		if y, ok := c.(time.Time); ok {
			return x.Compare(y)
		}
	}
	x, y := scalarText(a), scalarText(c)
	if m, err := events.ParseDecimal(x); err == nil {
		if n, err := events.ParseDecimal(y); err == nil {
			return m.Cmp(n)
		}
	}
	return strings.Compare(x, y)
}

func scalarText(v any) string {
	if at, ok := v.(time.Time); ok {
		return at.Format(time.DateOnly)
	}
	s, _ := v.(string)
	return s
}
