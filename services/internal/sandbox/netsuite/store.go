package netsuitebox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// row is one record as it is stored. References are {"id":"…"}, enumerations
// their id, sublists lists of lines, numbers as they came.
type row struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	ExternalID string         `json:"externalId,omitempty"`
	Fields     map[string]any `json:"fields"`
	Created    time.Time      `json:"created"`
	Modified   time.Time      `json:"modified"`
}

// key is what effects are counted under.
func (r *row) key() string {
	if r.ExternalID != "" {
		return r.ExternalID
	}
	return r.ID
}

// state is all that an account holds.
type state struct {
	LastID  int            `json:"lastId"`
	Numbers map[string]int `json:"numbers"` // last number by record type
	Rows    []*row         `json:"rows"`
	Deleted []deletion     `json:"deleted,omitempty"`

	index
}

// deletion is what the account remembers of a deleted record.
type deletion struct {
	Type string    `json:"type"`
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
}

// firstID is above the ids of what every account has built in.
const firstID = 1000

func (s *state) nextID() string {
	s.LastID = max(s.LastID, firstID) + 1
	return strconv.Itoa(s.LastID)
}

// number counts on for a type: SO1001, SO1002, ….
func (s *state) number(prefix string) string {
	if s.Numbers == nil {
		s.Numbers = map[string]int{}
	}
	s.Numbers[prefix] = max(s.Numbers[prefix], firstID) + 1
	return prefix + strconv.Itoa(s.Numbers[prefix])
}

// store keeps the state in a file.
type store struct{ path string }

func (f *store) load() (state, error) {
	s := state{index: newIndex()}
	if f.path == "" {
		return s, nil
	}
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("netsuitebox: state: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("netsuitebox: state %s: %w", f.path, err)
	}
	s.rebuild()
	return s, nil
}

// save replaces the file at once, so that a crash leaves the old or the new.
func (f *store) save(s state) error {
	if err := sandbox.SaveState(f.path, s); err != nil {
		return fmt.Errorf("netsuitebox: %w", err)
	}
	return nil
}
