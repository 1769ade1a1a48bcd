package hubspotbox

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// object is one record.
type object struct {
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties"`
	Created    time.Time         `json:"created"`
	Modified   time.Time         `json:"modified"`
	Archived   time.Time         `json:"archived,omitzero"`
}

// state is the whole portal. It is the form of the state file.
type state struct {
	NextID    int64 `json:"nextId"`
	NextEvent int64 `json:"nextEvent"`
	// Objects by type and id; Merged names what became of merged ids.
	Objects map[string]map[string]*object `json:"objects"`
	Merged  map[string]map[string]string  `json:"merged"`
	// Links are the association type ids, by from type/id and to type/id.
	Links map[string]map[string][]int `json:"links"`
	// Properties and Groups are the portal's own, by type and name.
	Properties map[string]map[string]property `json:"properties"`
	Groups     map[string]map[string]string   `json:"groups"`
	// Schemas are the portal's own types.
	Schemas []Schema `json:"schemas,omitempty"`
	// Journal is what happened, as files; Subscriptions what goes into it.
	Journal       []journalFile         `json:"journal,omitempty"`
	Subscriptions []journalSubscription `json:"subscriptions,omitempty"`

	index
}

// firstID keeps ids that HubSpot gives apart from those that seeds choose.
const firstID = 10_000_000

func newState() state {
	return state{
		NextID: firstID, NextEvent: 1, Objects: map[string]map[string]*object{}, Merged: map[string]map[string]string{},
		Links: map[string]map[string][]int{}, Properties: map[string]map[string]property{}, Groups: map[string]map[string]string{},
		index: newIndex(),
	}
}

func load(path string) (state, error) {
	s := newState()
	if path == "" {
		return s, nil
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator's own path
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}

// save writes the state file by a rename, so that a crash leaves the old or
// the new one. The caller holds the lock.
func (b *Box) save() {
	if err := sandbox.SaveState(b.opts.StateFile, b.state); err != nil {
		b.opts.Log.Error("hubspotbox: state not saved", "file", b.opts.StateFile, "error", err)
	}
}

// newID returns the next id; they are unique over all types here.
func (s *state) newID() string {
	s.NextID++
	return strconv.FormatInt(s.NextID, 10)
}

// compareIDs orders numeric ids.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// touch notes a change. Two changes of a record never have the same time.
func (b *Box) touch(o *object) {
	now := b.opts.Now().UTC().Truncate(time.Millisecond)
	if !now.After(o.Modified) {
		now = o.Modified.Add(time.Millisecond)
	}
	o.Modified = now
	b.state.revision++
}

// dump is what GET /_sandbox/objects shows.
func (b *Box) dump() map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]any{"associations": cloneLinks(b.state.Links)}
	for _, t := range b.types {
		objects := map[string]any{}
		for id, o := range b.state.Objects[t.plural] {
			objects[id] = maps.Clone(o.Properties)
		}
		all[t.plural] = objects
	}
	return all
}

func cloneLinks(links map[string]map[string][]int) map[string]map[string][]int {
	c := make(map[string]map[string][]int, len(links))
	for from, to := range links {
		c[from] = maps.Clone(to)
	}
	return c
}
