package netsuite

import (
	"encoding/json"
)

// label is a value that NetSuite writes as a text, a number, or an object of
// id and name: references, enumerations, ids.
type label struct{ id, name string }

// UnmarshalJSON implements json.Unmarshaler.
func (l *label) UnmarshalJSON(b []byte) error {
	var v any
	if err := decode(b, &v); err != nil {
		return err
	}
	switch x := v.(type) {
	case map[string]any:
		l.id, l.name = scalar(x["id"]), scalar(x["refName"])
	default:
		l.id = scalar(v)
	}
	return nil
}

func scalar(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	default:
		return ""
	}
}
