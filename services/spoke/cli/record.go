package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

type recordCmd struct {
	Key   string `arg:"" help:"The record, such as deal/77."`
	where `embed:""`
}

// Run implements the command.
func (c *recordCmd) Run(s *session) error {
	key, err := events.ParseKey(c.Key)
	if err != nil {
		return err
	}
	st, err := c.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	m, ok, err := st.bus.LastOne(s.ctx, events.StreamHub, events.RecordSubject(st.tenant, key))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("there is no record %s", key)
	}
	var r events.Record
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	if c.JSON {
		return s.json(r)
	}
	explain(s, st, r)
	return nil
}

// explain prints a record for people.
func explain(s *session, st *store, r events.Record) {
	s.printf("%s  version %d, last changed %s\n", r.Key, r.Version, stamp(r.UpdatedAt))
	if r.Deleted != nil {
		s.printf("deleted at %s %s\n", r.Deleted.Source, stamp(r.Deleted.At))
	}
	for _, e := range r.Erased {
		s.printf("erased at %s %s: what was said of the person before is gone\n", e.Source, stamp(e.At))
	}
	if r.Merged != nil {
		s.printf("part of %s, says %s %s\n", r.Merged.Into, r.Merged.Source, stamp(r.Merged.At))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Absorbed)) {
		if a := r.Absorbed[key]; a.Into == r.Key {
			s.printf("%s is a part of it, says %s %s\n", key, a.Source, stamp(a.At))
		}
	}
	s.printf("\n")
	t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "FIELD\tVALUE\tWHY\tSAID BY\tAT")
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		explainField(t, name, r.Fields[name], st.owner(r.Key.Entity, name))
	}
	_ = t.Flush()
	s.printf("\n")
	t = tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "SYSTEM\tID\tNUMBER\tSTATE\tAT\tFLOW")
	for _, key := range docKeys(r) {
		d := r.Docs[key]
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", key, plain(d.ID), plain(d.Number), state(r, key), stamp(d.At), r.Wanted[key].Flow)
	}
	_ = t.Flush()
	for _, key := range docKeys(r) {
		if p := r.Docs[key].Error; p != nil {
			s.printf("\n%s: %s\n", key, plain(p.Message))
			if p.Hint != "" {
				s.printf("  %s\n", plain(p.Hint))
			}
		}
	}
}

// explainField prints a value, why it won, and what lost against it.
func explainField(t io.Writer, name string, f events.Field, rule string) {
	for i, v := range show(f.Value) {
		if i == 0 {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", name, v, why(f, rule), f.Source, stamp(f.At))
			continue
		}
		_, _ = fmt.Fprintf(t, "\t%s\t\t\t\n", v)
	}
	verdict := "lost"
	if rule == (hub.Rule{Kind: hub.Union}).String() {
		verdict = "part"
	}
	for _, o := range f.Others {
		_, _ = fmt.Fprintf(t, "\t%s\t%s\t%s\t%s\n", strings.Join(show(o.Value), "; "), verdict, o.Source, stamp(o.At))
	}
}

// why says by which rule a value won. The rule is that of the policy as it is
// now, where an owner is told by its name.
func why(f events.Field, rule string) string {
	if _, err := hub.ParseRule(rule); err == nil {
		return rule
	}
	if f.Source == rule {
		return "owner"
	}
	return "newest, for " + rule + " is silent"
}

// docKeys lists what the record has or wants anywhere.
func docKeys(r events.Record) []string {
	keys := map[string]bool{}
	for k := range r.Docs {
		keys[k] = true
	}
	for k := range r.Wanted {
		keys[k] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

// state says where a document stands, in words.
func state(r events.Record, key string) string {
	d, known := r.Docs[key]
	want, wanted := r.Wanted[key]
	switch {
	case d.Gone != nil:
		return "deleted there"
	case r.Merged != nil && wanted, len(r.Erased) > 0 && r.Deleted != nil && wanted:
		return "left as it is"
	case want.Contested:
		return "contested"
	case !wanted && known:
		return "read only"
	case !known || d.State == events.StateSeen:
		return "to be written"
	case d.State == events.StateDone && d.Told != want.Hash:
		return "to be updated"
	case d.State == events.StateDone:
		return "in step"
	default:
		return string(d.State)
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// plain replaces control characters: what systems say must neither break the
// table nor steer the terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '·'
		}
		return r
	}, s)
}

// show writes a value for people: lines one by one, the rest in one.
func show(raw json.RawMessage) []string {
	shown := values(raw)
	for i, v := range shown {
		shown[i] = plain(v)
	}
	return shown
}

func values(raw json.RawMessage) []string {
	if events.IsNull(raw) {
		return []string{"(empty)"}
	}
	var lines []events.Line
	if strings.HasPrefix(string(raw), "[") && json.Unmarshal(raw, &lines) == nil && len(lines) > 0 {
		out := make([]string, len(lines))
		for i, l := range lines {
			out[i] = fmt.Sprintf("%s × %s at %s", l.Quantity, l.Name, l.Price)
		}
		return out
	}
	var m events.Money
	if json.Unmarshal(raw, &m) == nil && m.Currency != "" {
		return []string{m.String()}
	}
	var l events.Link
	if json.Unmarshal(raw, &l) == nil && !l.IsZero() {
		if l.Resolved() {
			return []string{"→ " + l.Record.String()}
		}
		return []string{fmt.Sprintf("→ %s %s %s (not known yet)", l.Connection, l.Object, l.ID)}
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []string{text}
	}
	return []string{string(raw)}
}
