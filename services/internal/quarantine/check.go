package quarantine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/schemas"
)

// check refuses content that breaks the schema of what the entry stands for,
// or that would make it something else.
func check(e Entry, content json.RawMessage) error {
	switch {
	case isDesired(e):
		return checkDesired(e, content)
	case e.Stream == events.StreamEvents:
		return checkEvent(e, content)
	}
	return fmt.Errorf("%s of %s can't be edited", e.Subject, e.Stream)
}

func checkDesired(e Entry, content json.RawMessage) error {
	if err := schemas.Validate("desired", content); err != nil {
		return err
	}
	var before, after events.Desired
	if err := json.Unmarshal(content, &after); err != nil {
		return err
	}
	if err := json.Unmarshal(e.Original, &before); err != nil {
		return nil //nolint:nilerr // what it was can't be read; the schema has spoken
	}
	for name, pair := range map[string][2]string{
		"tenant": {before.Tenant, after.Tenant}, "connection": {before.Connection, after.Connection},
		"object": {before.Object, after.Object}, "entity": {string(before.Entity), string(after.Entity)},
		"record": {before.Record.String(), after.Record.String()},
	} {
		if pair[0] != pair[1] {
			return fmt.Errorf("%s: is %q and must stay %q: only op and fields can be edited", name, pair[1], pair[0])
		}
	}
	return nil
}

// checkEvent validates the data of an event: a change with canonical fields,
// or an outcome.
func checkEvent(e Entry, content json.RawMessage) error {
	if strings.Contains(e.Subject, "."+string(events.OpWritten)+".") {
		return schemas.Validate("outcome", content)
	}
	if err := schemas.Validate("change", content); err != nil {
		return err
	}
	var c events.Change
	if err := json.Unmarshal(content, &c); err != nil {
		return err
	}
	return checkFields(c)
}

// checkFields holds every field to its canonical form.
func checkFields(c events.Change) error {
	given := make(map[string]json.RawMessage, len(c.Fields))
	custom := map[string]json.RawMessage{}
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		if n, ok := strings.CutPrefix(name, "custom."); ok {
			custom[n] = c.Fields[name]
			continue
		}
		given[name] = c.Fields[name]
	}
	if len(custom) > 0 {
		b, err := json.Marshal(custom)
		if err != nil {
			return err
		}
		given["custom"] = b
	}
	_, err := events.Canonical(c.Entity, given)
	return err
}
