package events

import (
	"encoding/json"
	"time"
)

// Record is the golden record of one business object: what Spoke holds to be
// true, why, and where the object stands in every connected system.
type Record struct {
	Tenant string `json:"tenant"`
	Key    Key    `json:"key"`
	// Fields holds the winning value of each canonical field.
	Fields map[string]Field `json:"fields"`
	// Docs holds, per connection and object type (DocKey), the object that
	// stands for this record there.
	Docs map[string]Doc `json:"docs,omitempty"`
	// Wanted holds, per connection and object type, the hash of the desired
	// document that was last published.
	Wanted map[string]Want `json:"wanted,omitempty"`
	// Needed holds the DocKeys of the objects that documents of the same
	// connection refer to, sorted. A flow that is on demand writes only these.
	Needed []string `json:"needed,omitempty"`
	// Deleted is set while the object is deleted: at the hub, or everywhere
	// when the hub does not have it.
	Deleted *Mark `json:"deleted,omitempty"`
	// Merged is set while this record is a part of another one: a tombstone that
	// names its survivor.
	Merged *Union `json:"merged,omitempty"`
	// Unions are what each source said last of whether this record is a part of
	// another one; Merged is derived from them.
	Unions map[string]Union `json:"unions,omitempty"`
	// Absorbed holds what became a part of this record, by key.
	Absorbed map[string]Absorbed `json:"absorbed,omitempty"`
	// Erased holds the privacy deletions of the person, the last of each source.
	Erased []Mark `json:"erased,omitempty"`
	// Version counts the versions of this record, from 1.
	Version uint64 `json:"version"`
	// UpdatedAt is the latest source time that has been merged, in UTC.
	UpdatedAt time.Time `json:"updatedAt"`
}

// Field is one value with its provenance.
type Field struct {
	Value  json.RawMessage `json:"value"`
	Source string          `json:"source"` // connection or upstream that said it
	At     time.Time       `json:"at"`     // when the source says it changed
	Event  string          `json:"event"`  // id of the event that brought it
	// Others are the values of other sources that lost against this one, by
	// source; for a union, the value of every source that it is made of.
	Others []Candidate `json:"others,omitempty"`
}

// Candidate is what one source says of a field.
type Candidate struct {
	Source string          `json:"source"`
	Value  json.RawMessage `json:"value"`
	At     time.Time       `json:"at"`
	Event  string          `json:"event"`
}

// Union says that a record is a part of the record Into; a zero Into takes
// that back.
type Union struct {
	Into   Key       `json:"into,omitzero"`
	Source string    `json:"source"`
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
}

// Absorbed is what a record left to its survivor.
type Absorbed struct {
	Union
	// Version is that of the record that was merged: a later one replaces an
	// earlier one.
	Version uint64 `json:"version"`
	// Docs are its objects at other systems.
	Docs map[string]Doc `json:"docs,omitempty"`
}

// Mark is a fact without a value.
type Mark struct {
	Source string    `json:"source"`
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
}

// Doc is the object that stands for a record in one connected system.
type Doc struct {
	Connection string `json:"connection"`
	Object     string `json:"object"`
	Entity     Entity `json:"entity"`
	ID         string `json:"id,omitempty"`
	Number     string `json:"number,omitempty"`
	URL        string `json:"url,omitempty"`
	State      State  `json:"state"`
	// Told is the content hash the system was last told, ToldAt the HUB
	// position of that document.
	Told   string `json:"told,omitempty"`
	ToldAt uint64 `json:"toldAt,omitempty"`
	// Sequence is the HUB position of the document that State, Effect and
	// Error speak of.
	Sequence uint64   `json:"sequence,omitempty"`
	Effect   Effect   `json:"effect,omitempty"`
	Error    *Problem `json:"error,omitempty"`
	// Seen is what the system was last seen to hold, as canonical fields of
	// Entity.
	Seen map[string]Seen `json:"seen,omitempty"`
	// At and Event tell of the last event that saw or wrote this object.
	At    time.Time `json:"at"`
	Event string    `json:"event,omitempty"`
	// Gone is set while the object is deleted at the system.
	Gone *Mark `json:"gone,omitempty"`
	// Adopted names the merged record whose object this was, while the survivor
	// has none of its own.
	Adopted Key `json:"adopted,omitzero"`
}

// Seen is one observed value.
type Seen struct {
	Value json.RawMessage `json:"value"`
	At    time.Time       `json:"at"`
	// Event is the id of the observing event; it breaks ties of time.
	Event string `json:"event"`
	// Sent is set while the value is what Spoke sent, as the connector expects it
	// to look there, and the system was not seen to hold it since: it may write
	// the same in another way.
	Sent bool `json:"sent,omitempty"`
	// Over is set while this is what the outcome of our own write told: the digest
	// of the value that was seen before, which what lags behind may show again.
	Over string `json:"over,omitempty"`
	// Unheard is set on a value that was not taken for a word of the system
	// because it may be what a document told it whose outcome is not known yet.
	Unheard *Unheard `json:"unheard,omitempty"`
}

// Unheard tells of the change that brought a value: when its source says that
// the object was changed, and when it began to be read, where it was.
type Unheard struct {
	At   time.Time `json:"at"`
	Read time.Time `json:"read,omitzero"`
}

// Want remembers a published desired document.
type Want struct {
	Hash string `json:"hash"`
	Flow string `json:"flow"`
	// Named is the id of an object that Spoke has not written yet and that the
	// document named.
	Named string `json:"named,omitempty"`
	// Drifts counts how often the document was published again because the
	// system held something else, DriftAt is when it was last seen to, and
	// Contested is set once that has come too often to be written back at once.
	Drifts    int       `json:"drifts,omitempty"`
	DriftAt   time.Time `json:"driftAt,omitzero"`
	Contested bool      `json:"contested,omitempty"`
	// Said is what the last documents told the system of the record's own
	// fields, the oldest first: what it holds for a while although newer words
	// are on their way.
	Said []Said `json:"said,omitempty"`
}

// Said is what one document told a system.
type Said struct {
	// Hash is the document's.
	Hash string `json:"hash"`
	// Fields holds digests of the values that no document before had told. Where
	// a value has another, looser form, a "~" and its digest follow.
	Fields map[string]string `json:"fields,omitempty"`
	// Since is when the system was told of it, Until when it was told something
	// newer; zero while it was not.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Shown is set when the system's own answer showed at Since what it holds:
	// nothing that begins to be read later is older.
	Shown bool `json:"shown,omitempty"`
}
