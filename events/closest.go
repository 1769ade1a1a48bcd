package events

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// maxEcho bounds how much of a name from outside an error repeats.
const maxEcho = 60

// quotePath returns a name from outside as a path may show it: plain names as
// they are, others quoted, long ones cut.
func quotePath(name string) string {
	if len(name) > maxEcho {
		return strconv.Quote(name[:maxEcho]) + "…"
	}
	if name == "" || strings.ContainsFunc(name, unsafeInToken) {
		return strconv.Quote(name)
	}
	return name
}

// nearHint is the hint for an unknown name where no custom fields exist.
func (c *checker) nearHint(name string, known map[string]FieldType) string {
	if near := c.closest(name, known); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	names := make([]string, 0, len(known))
	for n := range known {
		names = append(names, n)
	}
	slices.Sort(names)
	return "use " + strings.Join(names, ", ")
}

// closest returns up to three known names that name may be a slip of, the
// nearest first.
func (c *checker) closest(name string, known map[string]FieldType) []string {
	if len(name) > maxEcho || c.full() {
		return nil
	}
	slip := strings.ToLower(strings.ReplaceAll(name, "_", "")) // tax_id for taxId
	far := make(map[string]int, len(known))
	var near []string
	for k, f := range known {
		l := strings.ToLower(k)
		d := distance(slip, l)
		if len(slip) > 2 && (strings.HasSuffix(slip, l) || strings.HasSuffix(l, slip)) {
			d = min(d, 2) // companyName for name, date for closeDate
		}
		if far[k] = d; d <= max(1, len(slip)/3) && f.Kind != KindCustom {
			near = append(near, k)
		}
	}
	slices.SortFunc(near, func(a, b string) int { return cmp.Or(far[a]-far[b], strings.Compare(a, b)) })
	return near[:min(len(near), 3)]
}

// distance is the Levenshtein distance, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Closest returns the known name that name may be a slip of; false when none
// is near enough.
func Closest(name string, known []string) (string, bool) {
	best, least := "", max(1, min(len(name), maxEcho)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(name[:min(len(name), maxEcho)]), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}
