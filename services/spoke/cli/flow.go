package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

type mapCmd struct {
	Test mapTestCmd `cmd:"" help:"Show what a flow makes of a sample record."`
	List mapListCmd `cmd:"" help:"List the flows."`
}

type mapTestCmd struct {
	Flow   string `arg:"" help:"Name of the flow."`
	Sample string `arg:"" help:"JSON file: a record (as spoke record --json prints it), or the canonical fields of the flow's entity."`
	Config string `short:"c" default:"spoke.yaml" help:"Configuration file."`
	JSON   bool   `help:"Print JSON."`
}

// trial is what a flow makes of a record.
type trial struct {
	Flow    string          `json:"flow"`
	Applies bool            `json:"applies"`
	Desired *events.Desired `json:"desired,omitempty"`
}

// Run implements the command.
func (c *mapTestCmd) Run(s *session) error {
	flows, err := compile(c.Config)
	if err != nil {
		return err
	}
	named := flows.Named(c.Flow)
	if len(named) == 0 {
		return fmt.Errorf("no flow is named %q: spoke map list names them", c.Flow)
	}
	f := named[0]
	rec, err := readSample(c.Sample, f.From)
	if err != nil {
		return err
	}
	t := trial{Flow: f.Name}
	if t.Applies, err = f.Applies(&rec); err != nil {
		return err
	}
	rec.Wanted = nil // as if nothing had been written yet
	if f.Existing {
		rec.Docs = withDoc(rec, f)
	}
	if f.OnDemand {
		named = named[:1] // the others would hold the same
		rec.Needed = []string{f.DocKey()}
	}
	_, wanted, failed := hub.Route(rec, named)
	if len(failed) > 0 {
		return failed[0].Err
	}
	if len(wanted) > 0 {
		t.Desired = &wanted[0]
	}
	if c.JSON {
		return s.json(t)
	}
	if !t.Applies {
		s.printf("flow %s does not apply: its condition does not hold for this record\n", f.Name)
		return nil
	}
	if t.Desired == nil {
		s.printf("flow %s applies, and sets no field\n", f.Name)
		return nil
	}
	s.printf("flow %s → %s of %s\n", f.Name, f.Object.Name, t.Desired.Connection)
	if f.OnDemand {
		s.printf("on demand: once a document of %s refers to it\n", strings.Join(f.To, " or "))
	}
	return s.json(t.Desired.Fields)
}

// withDoc pretends that the hub has the object, since the flow writes to
// existing ones only.
func withDoc(r events.Record, f *mapping.Flow) map[string]events.Doc {
	docs := map[string]events.Doc{f.DocKey(): {Connection: f.Connection, Object: f.Object.Name, Entity: f.Object.Entity, ID: r.Key.ID}}
	for k, d := range r.Docs {
		docs[k] = d
	}
	return docs
}

// readSample reads a record, or bare canonical fields.
func readSample(file string, entity events.Entity) (events.Record, error) {
	var rec events.Record
	text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return rec, fmt.Errorf("sample: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return rec, fmt.Errorf("sample %s: %w", file, err)
	}
	if _, whole := raw["key"]; whole {
		if err := json.Unmarshal(text, &rec); err != nil {
			return rec, fmt.Errorf("sample %s: %w", file, err)
		}
		if rec.Key.Entity != entity {
			return rec, fmt.Errorf("sample %s is a %s, the flow takes a %s", file, rec.Key.Entity, entity)
		}
		return rec, nil
	}
	fields, err := events.Canonical(entity, raw)
	if err != nil {
		return rec, fmt.Errorf("sample %s: %w", file, err)
	}
	rec = events.Record{Tenant: "sample", Key: events.Key{Entity: entity, ID: "sample"}, Fields: map[string]events.Field{}}
	for name, v := range fields {
		rec.Fields[name] = events.Field{Value: v, Source: "sample"}
	}
	return rec, nil
}

type mapListCmd struct {
	Config string `short:"c" default:"spoke.yaml" help:"Configuration file."`
	JSON   bool   `help:"Print JSON."`
}

// Run implements the command.
func (c *mapListCmd) Run(s *session) error {
	flows, err := compile(c.Config)
	if err != nil {
		return err
	}
	type row struct {
		Flow string `json:"flow"`
		From string `json:"from"`
		To   string `json:"to"`
		File string `json:"file"`
	}
	rows := []row{}
	for _, f := range flows.All() {
		rows = append(rows, row{f.Name, string(f.From), f.DocKey(), f.File})
	}
	if c.JSON {
		return s.json(rows)
	}
	for _, r := range rows {
		s.printf("%s\n", strings.Join([]string{pad(r.Flow), r.From + " → " + r.To, "(" + r.File + ")"}, "  "))
	}
	return nil
}

func pad(s string) string { return fmt.Sprintf("%-28s", s) }

func compile(file string) (*mapping.Set, error) {
	cfg, err := config.Load(file, catalog.Kinds())
	if err != nil {
		return nil, err
	}
	return cfg.CompileFlows()
}
