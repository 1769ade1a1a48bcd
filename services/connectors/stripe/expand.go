package stripe

import (
	"bytes"
	"encoding/json"
)

// expandable is a reference that Stripe answers as an id, or as the object
// itself when the call asked to expand it.
type expandable[T any] struct {
	ID     string
	Object *T
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *expandable[T]) UnmarshalJSON(b []byte) error {
	*e = expandable[T]{}
	switch b = bytes.TrimSpace(b); {
	case string(b) == "null":
		return nil
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, &e.ID)
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil {
		return err
	}
	e.ID, e.Object = id.ID, new(T)
	return json.Unmarshal(b, e.Object)
}
