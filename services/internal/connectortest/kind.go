package connectortest

import (
	"io/fs"
	"reflect"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

type adder func(name string, run func(t testing.TB, e *env))

func addKind(add adder) {
	add("kind/names", checkNames)
	add("kind/objects", checkObjects)
	add("kind/feeds", checkFeeds)
	add("kind/flows", checkFlows)
	add("kind/settings", checkSettings)
	add("kind/members", checkMembers)
}

func checkNames(t testing.TB, e *env) {
	if events.Token(e.kind.Name) != e.kind.Name || e.kind.Name == "" {
		t.Errorf("kind name %q: want letters, digits, - and _", e.kind.Name)
	}
	if e.kind.Title == "" {
		t.Errorf("kind %s has no title", e.kind.Name)
	}
	if l := e.kind.Limits; e.con.Target != nil && l.PerSecond <= 0 && l.Concurrent <= 0 {
		t.Errorf("kind %s has no limits: want PerSecond or Concurrent", e.kind.Name)
	}
}

func checkObjects(t testing.TB, e *env) {
	seen := map[string]bool{}
	for _, o := range e.kind.Objects {
		if seen[o.Name] || o.Name == "" {
			t.Errorf("object %q: names must be unique and not empty", o.Name)
		}
		seen[o.Name] = true
		if !o.Entity.Known() {
			t.Errorf("object %s: %q is no canonical entity", o.Name, o.Entity)
		}
		if o.Writable() && len(o.Fields) == 0 {
			t.Errorf("object %s is writable but has no fields", o.Name)
		}
		if !o.Writable() && len(o.Fields) > 0 {
			t.Errorf("object %s has fields but flows may not write it", o.Name)
		}
		checkFields(t, e.kind, o.Name, o.Fields)
	}
}

// checkFeeds keeps the runtime from asking for what the connector lacks, and a
// fixture from leaving a feed out.
func checkFeeds(t testing.TB, e *env) {
	if (e.con.Scanner != nil) != (len(e.kind.Feeds) > 0) {
		t.Errorf("Scanner is %t, but the kind has %d feeds", e.con.Scanner != nil, len(e.kind.Feeds))
	}
	seen := map[string]bool{}
	for _, f := range e.kind.Feeds {
		if seen[f.Name] || f.Name == "" {
			t.Errorf("feed %q: names must be unique and not empty", f.Name)
		}
		seen[f.Name] = true
		if len(f.Objects) == 0 || !f.Backfill && !f.Poll {
			t.Errorf("feed %s: want objects, and Backfill or Poll", f.Name)
		}
		for _, name := range f.Objects {
			if _, ok := e.kind.Object(name); !ok {
				t.Errorf("feed %s yields %q, which is no object of the kind", f.Name, name)
			}
		}
		if f.Every < 0 || f.Overlap < 0 || f.MaxAge < 0 || !f.Poll && (f.Every > 0 || f.Overlap > 0 || f.MaxAge > 0) {
			t.Errorf("feed %s: Every, Overlap and MaxAge are of polls, and not negative", f.Name)
		}
		i := slices.IndexFunc(e.Scans, func(s Scan) bool { return s.Feed == f.Name })
		if i < 0 {
			t.Errorf("no scan of the fixture covers the feed %s", f.Name)
			continue
		}
		if s := e.Scans[i]; s.Page < 1 || s.Seed == nil || f.Poll && s.Change == nil {
			t.Errorf("scan of the feed %s: want Page, Seed and, for a feed that polls, Change", f.Name)
		}
	}
	for _, s := range e.Scans {
		if !seen[s.Feed] {
			t.Errorf("the fixture scans %q, which is no feed of the kind", s.Feed)
		}
	}
}

func checkFields(t testing.TB, k connector.Kind, path string, fields []connector.Field) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range fields {
		at := path + "." + f.Name
		if seen[f.Name] || f.Name == "" {
			t.Errorf("%s: names must be unique and not empty", at)
		}
		seen[f.Name] = true
		nested := false
		switch f.Type {
		case connector.FieldRef:
			if _, ok := k.Object(f.Ref); !ok {
				t.Errorf("%s refers to %q, which is no object of the kind", at, f.Ref)
			}
		case connector.FieldList, connector.FieldObject:
			nested = true
			if len(f.Fields) == 0 {
				t.Errorf("%s is a %s without fields", at, f.Type)
			}
		case connector.FieldString, connector.FieldBool, connector.FieldInt, connector.FieldDecimal,
			connector.FieldMoney, connector.FieldDate:
		default:
			t.Errorf("%s has the unknown type %q", at, f.Type)
		}
		if !nested && len(f.Fields) > 0 {
			t.Errorf("%s is a %s with fields", at, f.Type)
		}
		checkFields(t, k, at, f.Fields)
	}
}

func checkSettings(t testing.TB, e *env) {
	v := reflect.ValueOf(e.kind.Settings())
	if v.Kind() != reflect.Pointer || v.IsNil() {
		t.Fatalf("Settings returns %s, want a pointer that is not nil", v.Kind())
	}
	if v.Pointer() == reflect.ValueOf(e.kind.Settings()).Pointer() {
		t.Errorf("Settings returns the same pointer twice: connections would share settings")
	}
	if got, want := reflect.TypeOf(e.Settings), v.Type(); got != want {
		t.Errorf("the fixture's settings are %s, want %s", got, want)
	}
	before := e.Sandbox.Counts().TotalCalls()
	// Defaults hold no credentials. Open may refuse them, but must not panic.
	_, _ = e.kind.Open(e.kind.Settings(), e.deps)
	if n := e.Sandbox.Counts().TotalCalls(); n != before {
		t.Errorf("Open made %d calls, want none", n-before)
	}
}

// checkMembers keeps a fixture from passing for want of material.
func checkMembers(t testing.TB, e *env) {
	if e.con.Target == nil && e.con.Reader == nil && e.con.Webhooks == nil && e.con.Scanner == nil {
		t.Errorf("the connector has no member at all")
	}
	if (e.con.Target != nil) != (len(e.Docs) > 0) {
		t.Errorf("Target is %t, but the fixture has %d documents", e.con.Target != nil, len(e.Docs))
	}
	if (e.con.Reader != nil) != (len(e.Reads) > 0) {
		t.Errorf("Reader is %t, but the fixture has %d reads", e.con.Reader != nil, len(e.Reads))
	}
	if (e.con.Webhooks != nil) != (len(e.Deliveries) > 0) {
		t.Errorf("Webhooks is %t, but the fixture has %d deliveries", e.con.Webhooks != nil, len(e.Deliveries))
	}
	changes := slices.ContainsFunc(e.Docs, func(d Doc) bool { return d.Change != nil })
	if (changes || e.con.Webhooks != nil) && e.Touch == nil {
		t.Errorf("the fixture has no Touch, but a Target that updates, or Webhooks")
	}
	if (e.con.Webhooks != nil) != (e.Heard != nil) {
		t.Errorf("Webhooks is %t, but the fixture has Heard: %t", e.con.Webhooks != nil, e.Heard != nil)
	}
	covered := map[string]bool{}
	for _, d := range e.Docs {
		covered[d.Object] = true
		if (d.Created == "") != (d.CreateOp == "") {
			t.Errorf("document %s: Created and CreateOp go together", d.Record)
		}
	}
	for _, o := range e.kind.Objects {
		if o.Writable() && !covered[o.Name] {
			t.Errorf("no document of the fixture covers the writable object %s", o.Name)
		}
	}
}

// flow is a default mapping as far as the suite reads it.
type flow struct {
	Flow    string         `yaml:"flow"`
	From    events.Entity  `yaml:"from"`
	When    string         `yaml:"when"`
	Object  string         `yaml:"object"`
	Create  bool           `yaml:"create"`
	OnLeave string         `yaml:"on_leave"`
	Fields  map[string]any `yaml:"fields"`
}

func checkFlows(t testing.TB, e *env) {
	if e.kind.Flows == nil {
		return
	}
	names := map[string]bool{}
	files := 0
	err := fs.WalkDir(e.kind.Flows, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := fs.ReadFile(e.kind.Flows, path)
		if err != nil {
			return err
		}
		var f flow
		if err := yaml.UnmarshalWithOptions(text, &f, yaml.DisallowUnknownField()); err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		if names[f.Flow] || f.Flow == "" {
			t.Errorf("%s: flow name %q must be unique and not empty", path, f.Flow)
		}
		names[f.Flow] = true
		checkFlow(t, e.kind, path, f)
		return nil
	})
	if err != nil {
		t.Errorf("flows: %v", err)
	}
	if files == 0 {
		t.Errorf("Flows holds no file")
	}
}

func checkFlow(t testing.TB, k connector.Kind, path string, f flow) {
	t.Helper()
	if !f.From.Known() {
		t.Errorf("%s: from: %q is no canonical entity", path, f.From)
	}
	if !slices.Contains([]string{"", "keep", "void", "delete"}, f.OnLeave) {
		t.Errorf("%s: on_leave: %q, want keep, void or delete", path, f.OnLeave)
	}
	o, ok := k.Object(f.Object)
	if !ok || !o.Writable() {
		t.Errorf("%s: object: %q is not writable", path, f.Object)
		return
	}
	checkFlowFields(t, path, f.Fields, o.Fields, o.Open)
}

func checkFlowFields(t testing.TB, path string, got map[string]any, known []connector.Field, open func(string) bool) {
	t.Helper()
	for name, value := range got {
		i := slices.IndexFunc(known, func(f connector.Field) bool { return f.Name == name })
		if i < 0 {
			if open == nil || !open(name) {
				t.Errorf("%s: field %s is unknown", path, name)
			}
			continue
		}
		nested, ok := value.(map[string]any)
		if !ok {
			continue
		}
		if _, conditional := nested["with"]; conditional {
			continue
		}
		if inner, ok := nested["fields"].(map[string]any); ok {
			nested = inner
		}
		checkFlowFields(t, path+": "+name, nested, known[i].Fields, nil)
	}
	for _, f := range known {
		if _, ok := got[f.Name]; f.Required && !ok {
			t.Errorf("%s: the required field %s is not set", path, f.Name)
		}
	}
}
