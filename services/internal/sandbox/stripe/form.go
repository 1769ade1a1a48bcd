package stripebox

import (
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// kind is the type of a parameter.
type kind int

const (
	text      kind = iota // not empty
	clearable             // text that may be emptied
	integer
	boolean
	decimal  // at most 12 decimals
	currency // three letters, lower case
	unixtime
	metadata // free names
	object   // of fields
	list     // of texts
	rows     // a list of objects, by number
	span     // a Unix time, or gt, gte, lt, lte
)

// param describes one parameter of an operation.
type param struct {
	kind   kind
	max    int
	enum   []string
	fields params
}

// params are the parameters that an operation takes; all others are refused.
type params map[string]param

// form holds the parameters of a call under their flat names, such as
// "address[line1]".
type form struct {
	values map[string]string
	lists  map[string][]string
}

func (f form) has(name string) bool       { _, ok := f.values[name]; return ok }
func (f form) get(name string) string     { return f.values[name] }
func (f form) list(name string) []string  { return f.lists[name] }
func (f form) is(name, value string) bool { return f.has(name) && f.get(name) == value }
func (f form) number(name string) int64   { n, _ := strconv.ParseInt(f.values[name], 10, 64); return n }

func (f form) rational(name string) *big.Rat {
	r, ok := new(big.Rat).SetString(f.values[name])
	if !ok {
		return new(big.Rat)
	}
	return r
}

// metadata merges what the form says into m: an empty value drops a name, and
// an empty metadata drops all.
func (f form) metadata(m map[string]string) (map[string]string, *problem) {
	out := map[string]string{}
	if !f.has("metadata") {
		for k, v := range m {
			out[k] = v
		}
	}
	for name, value := range f.values {
		key, ok := strings.CutPrefix(name, "metadata[")
		if !ok {
			continue
		}
		key = strings.TrimSuffix(key, "]")
		if value == "" {
			delete(out, key)
			continue
		}
		if len(key) > 40 || len(value) > 500 {
			return nil, invalid(name, "", "Metadata keys can have up to 40 characters, values up to 500.")
		}
		out[key] = value
	}
	if len(out) > 50 {
		return nil, invalid("metadata", "", "Metadata can have up to 50 keys.")
	}
	return out, nil
}

// parseForm reads and checks parameters in bracket notation.
func parseForm(raw string, spec params) (form, *problem) {
	f := form{values: map[string]string{}, lists: map[string][]string{}}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return f, invalid("", "", "Invalid request body: "+err.Error())
	}
	for name, all := range values {
		path := strings.Split(strings.ReplaceAll(name, "]", ""), "[")
		p, found := spec.find(path)
		if !found {
			return f, invalid(name, "parameter_unknown", "Received unknown parameter: "+name)
		}
		if p.kind == list {
			f.lists[path[0]] = append(f.lists[path[0]], all...)
			continue
		}
		value := all[len(all)-1]
		if problem := p.check(name, value); problem != nil {
			return f, problem
		}
		f.values[name] = value
	}
	return f, nil
}

// row returns the form of one object of a list; false at the end of the list.
func (f form) row(name string, i int) (form, bool) {
	prefix := name + "[" + strconv.Itoa(i) + "]["
	out := form{values: map[string]string{}, lists: map[string][]string{}}
	for full, v := range f.values {
		if rest, ok := strings.CutPrefix(full, prefix); ok {
			// "price_data][currency]" becomes "price_data[currency]"
			first, deep, nested := strings.Cut(rest, "]")
			if nested && deep != "" {
				first += deep
			}
			out.values[first] = v
		}
	}
	return out, len(out.values) > 0
}

// find returns the description of the parameter at a path.
func (spec params) find(path []string) (param, bool) {
	p, ok := spec[path[0]]
	switch {
	case path[0] == "expand":
		return param{kind: list}, len(path) == 2
	case !ok:
		return p, false
	case len(path) == 1:
		return p, p.kind != list
	}
	switch p.kind {
	case object:
		return p.fields.find(path[1:])
	case metadata:
		return param{kind: clearable, max: 500}, len(path) == 2 && path[1] != ""
	case list:
		return p, len(path) == 2
	case rows:
		if n, err := strconv.Atoi(path[1]); err != nil || n < 0 || n > 100 || len(path) < 3 {
			return p, false
		}
		return p.fields.find(path[2:])
	case span:
		return param{kind: unixtime}, len(path) == 2 && slices.Contains([]string{"gt", "gte", "lt", "lte"}, path[1])
	default:
		return p, false
	}
}

// check refuses a value of the wrong form with Stripe's code for it.
func (p param) check(name, value string) *problem {
	if value == "" && (p.kind == clearable || p.kind == metadata || p.kind == object) {
		return nil
	}
	if value == "" {
		return invalid(name, "parameter_invalid_empty", "You passed an empty string for '"+name+"'.")
	}
	if p.max > 0 && len([]rune(value)) > p.max {
		return invalid(name, "", fmt.Sprintf("Invalid string: must be at most %d characters", p.max))
	}
	switch p.kind {
	case integer, unixtime, span:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return invalid(name, "parameter_invalid_integer", "Invalid integer: "+value)
		}
	case boolean:
		if value != "true" && value != "false" {
			return invalid(name, "", "Invalid boolean: "+value)
		}
	case decimal:
		if !isDecimal(value) {
			return invalid(name, "", "Invalid decimal: "+value+"; must contain at maximum 12 decimal places.")
		}
	case currency:
		if len(value) != 3 || strings.ToLower(value) != value || !known(value) {
			return invalid(name, "", "Invalid currency: "+value+".")
		}
	case metadata:
		return invalid(name, "parameter_invalid_string", "Invalid object")
	case object, rows:
		return invalid(name, "", "Invalid object")
	default: // texts need no more than their length
	}
	if len(p.enum) > 0 && !slices.Contains(p.enum, value) {
		return invalid(name, "", "Invalid "+name+": must be one of "+strings.Join(p.enum, ", "))
	}
	return nil
}

func isDecimal(s string) bool {
	digits, fraction, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if digits == "" || len(fraction) > 12 || len(digits) > 20 {
		return false
	}
	return !strings.ContainsFunc(digits+fraction, func(r rune) bool { return r < '0' || r > '9' })
}
