package events

// Link points from one object to another. A vendor knows the other object by
// Object and ID (its own type and id, at the Connection that speaks); Record
// is the golden record behind it, filled in by transform once it is known.
type Link struct {
	Record     Key    `json:"record,omitzero"`
	Connection string `json:"connection,omitempty"`
	Object     string `json:"object,omitempty"`
	ID         string `json:"id,omitempty"`
}

// IsZero reports whether l points nowhere.
func (l Link) IsZero() bool { return l == Link{} }

// Resolved reports whether the golden record is known.
func (l Link) Resolved() bool { return !l.Record.IsZero() }

// External returns the vendor's name of the target.
func (l Link) External() External {
	return External{Connection: l.Connection, Object: l.Object, ID: l.ID}
}

// External names an object as one connected system knows it.
type External struct {
	Connection string `json:"connection"`
	Object     string `json:"object"` // the vendor's type, such as salesOrder
	ID         string `json:"id"`
}

// DocKey is the key of the object's kind in Record.Docs.
func (e External) DocKey() string { return DocKey(e.Connection, e.Object) }

// DocKey joins a connection and one of its object types: "netsuite/salesOrder".
func DocKey(connection, object string) string { return connection + "/" + object }
