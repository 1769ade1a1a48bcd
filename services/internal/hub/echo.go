package hub

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// A system that was told "a" and then "b" may be seen to hold "a" when it was
// told of "b" already, or is about to be: its webhook or a read lags behind. By
// its time that is the newest word on the field, and yet it is our own, older
// one. So what each document said is remembered until the system was told
// something newer, and what is seen of it until then is an echo.

const (
	// maxSaid bounds how many documents are remembered for a system that is not
	// told of them, because it is down.
	maxSaid = 8
	// echoSlack is how much later than our own clock a system's may be, and how
	// long a read may take.
	echoSlack = 30 * time.Second
)

// say adds what a document tells to what was said before.
func say(r *events.Record, f *mapping.Flow, hash string, before []events.Said) []events.Said {
	if f.From != f.Object.Entity {
		return before // the object has fields of another kind
	}
	s := events.Said{Hash: hash}
	for name, field := range r.Fields {
		if d := digest(field.Value); f.Reads(name) && latest(before, name) != d {
			if s.Fields == nil {
				s.Fields = map[string]string{}
			}
			s.Fields[name] = d
		}
	}
	all := append(slices.Clip(before), s)
	return all[max(len(all)-maxSaid, 0):]
}

// latest is the digest that was last told of a field.
func latest(said []events.Said, field string) string {
	for i := len(said) - 1; i >= 0; i-- {
		if d, ok := said[i].Fields[field]; ok {
			return d
		}
	}
	return ""
}

func digest(v json.RawMessage) string {
	if events.IsNull(v) {
		return "-"
	}
	h := fnv.New64a()
	_, _ = h.Write(v) // a hash takes everything
	return strconv.FormatUint(h.Sum64(), 36)
}

// told notes that a system holds the document of a hash since a time: what was
// said before has been overwritten.
func (m *merger) told(key, hash string, at time.Time) {
	w := m.rec.Wanted[key]
	now := last(w.Said, hash)
	if now < 0 {
		return
	}
	said := slices.Clone(w.Said)
	if said[now].Since.IsZero() {
		said[now].Since = at.UTC()
	}
	for i := range said[:now] {
		if said[i].Until.IsZero() {
			said[i].Until = at.UTC()
		}
	}
	// What was overwritten long ago can't be seen any more. Its digests are
	// those that the next document is compared with.
	for len(said) > 1 && !said[0].Until.IsZero() && at.Sub(said[0].Until) > 2*echoSlack {
		for name, d := range said[0].Fields {
			if _, newer := said[1].Fields[name]; !newer {
				said[1].Fields = maps.Clone(said[1].Fields)
				if said[1].Fields == nil {
					said[1].Fields = map[string]string{}
				}
				said[1].Fields[name] = d
			}
		}
		said = said[1:]
	}
	w.Said = said
	m.rec.Wanted[key] = w
}

// echo reports whether a value that a system is seen to hold is what a document
// of ours told it. before is what it was seen to hold last: a system that had
// left our word by itself comes back to it by itself.
func echo(r events.Record, key, field string, before, now events.Seen) bool {
	d := ""
	for _, s := range r.Wanted[key].Said {
		told, ok := s.Fields[field]
		if !ok {
			continue
		}
		if d == "" {
			d = digest(now.Value)
		}
		left := !s.Since.IsZero() && before.At.After(s.Since.Add(echoSlack)) && digest(before.Value) != d
		if told == d && !left && (s.Until.IsZero() || !now.At.After(s.Until.Add(echoSlack))) {
			return true
		}
	}
	return false
}

// last is the place of the last document with a hash; -1 when there is none.
func last(said []events.Said, hash string) int {
	for i := len(said) - 1; i >= 0; i-- {
		if said[i].Hash == hash {
			return i
		}
	}
	return -1
}
