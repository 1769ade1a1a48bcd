package hub

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// A system that was told "a" and then "b" may be seen to hold "a" when it was
// told of "b" already, or is about to be: its webhook or a read lags behind. By
// its time that is the newest word on the field, and yet it is our own, older
// one. So what each document said is remembered until the system was told
// something newer, and what is seen of it until then is an echo.
//
// How long "until then" is depends on what is known. A read that begins after a
// system's own answer showed "b" can't show an older "a": that is a person who
// set the value back. Times of the system's own clock, and answers that show
// nothing, leave a doubt of half a minute.

const (
	// maxSaid bounds how many documents are remembered for a system that is not
	// told of them, because it is down.
	maxSaid = 8
	// echoSlack is how much later than our own clock a system's may be, and how
	// long a read may take.
	echoSlack = 30 * time.Second
	// readSlack is how much the clocks of two machines of ours may differ: one
	// reads, another one writes.
	readSlack = 5 * time.Second
)

// say adds what a document tells to what was said before.
func say(r *events.Record, f *mapping.Flow, hash string, before []events.Said) []events.Said {
	if f.From != f.Object.Entity {
		return before // the object has fields of another kind
	}
	s := events.Said{Hash: hash}
	for name, field := range r.Fields {
		if !f.Reads(name) {
			continue
		}
		d := digest(field.Value)
		if exact, _, _ := strings.Cut(latest(before, name), looser); exact == d {
			continue
		}
		if s.Fields == nil {
			s.Fields = map[string]string{}
		}
		s.Fields[name] = d + loose(fieldOf(r.Key.Entity, name), field.Value)
	}
	if n := len(before); n > 0 && before[n-1].Hash == hash && len(s.Fields) == 0 {
		return before // the same document once more
	}
	all := append(slices.Clip(before), s)
	return all[max(len(all)-maxSaid, 0):]
}

// looser separates the digest of a value from that of its looser form.
const looser = "~"

// loose is the digest of a value's looser form behind the separator, or "" for
// a cleared value.
func loose(f events.FieldType, v json.RawMessage) string {
	if events.IsNull(v) {
		return ""
	}
	return looser + digestOf(form(f, v))
}

// latest is what was last told of a field.
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
	return digestOf(v)
}

func digestOf[T ~string | ~[]byte](v T) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(v)) // a hash takes everything
	return strconv.FormatUint(h.Sum64(), 36)
}

// told notes that a system holds the document of a hash since a time: what was
// said before has been overwritten. shown tells whether its answer showed that.
func (m *merger) told(key, hash string, at time.Time, shown bool) {
	w := m.rec.Wanted[key]
	now := last(w.Said, hash)
	if now < 0 || now > 0 && w.Said[now-1].Since.After(at) {
		return // it is of an earlier document that said the same
	}
	said := slices.Clone(w.Said)
	if said[now].Since.IsZero() {
		said[now].Since, said[now].Shown = at.UTC(), shown
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

// sight is what a change shows of a field.
type sight struct {
	events.Seen
	changed time.Time // when the system says that the object was changed
	read    time.Time // when the read began that showed it; zero where it was none
}

// after reports whether a sight is certainly of a time after one at which a
// system was told something.
func (s sight) after(told events.Said) bool {
	if told.Shown && !s.read.IsZero() {
		return s.read.After(told.Since.Add(readSlack))
	}
	return s.At.After(told.Since.Add(echoSlack))
}

// verdict is what a sight is to its record.
type verdict uint8

const (
	word  verdict = iota // the system says something new
	known                // it holds what it was seen to hold
	echo                 // it holds what a document of ours told it
	stale                // it showed something newer already
)

// judge tells what a sight is, given what the system was seen to hold last and
// what it was told. pending says whether the looser form counts of what it is
// about to be told.
func judge(f events.FieldType, said []events.Said, pending bool, before events.Seen, seen bool, s sight) verdict {
	if seen && holds(f, before, s.Value) {
		return known
	}
	if before.Over != "" && lags(said, before, s) {
		return stale
	}
	for i, told := range said {
		d, ok := told.Fields[f.Name]
		if !ok {
			continue
		}
		next := overwrites(said[i+1:], f.Name)
		lax := next != nil && next.Shown || pending && told.Since.IsZero()
		switch {
		case !matches(d, f, s.Value, lax) || left(told, before, s):
		case next != nil && next.Shown:
			if !s.after(*next) {
				return stale
			}
		case told.Until.IsZero() || !s.At.After(told.Until.Add(echoSlack)):
			return echo
		}
	}
	return word
}

// lags reports whether a sight may be of before our own write, whose outcome
// told what was seen last: it shows once more what was seen before that, or it
// began to be read before the answer was there, and shows what the system makes
// of the object while it takes the write.
func lags(said []events.Said, before events.Seen, s sight) bool {
	i := lastDone(said)
	switch {
	case i < 0:
		return false
	case before.Over == digest(s.Value) && !s.after(said[i]):
		return true
	}
	return said[i].Shown && !s.read.IsZero() && !s.read.After(said[i].Since)
}

// overwrites returns the first of the later documents that told a field
// something else and that the system is known to hold; nil when there is none.
func overwrites(later []events.Said, field string) *events.Said {
	for i := range later {
		if _, ok := later[i].Fields[field]; ok && !later[i].Since.IsZero() {
			return &later[i]
		}
	}
	return nil
}

// matches reports whether a value is the one behind a digest. lax says that its
// looser form is enough.
func matches(told string, f events.FieldType, v json.RawMessage, lax bool) bool {
	exact, rest, has := strings.Cut(told, looser)
	return exact == digest(v) || lax && has && looser+rest == loose(f, v)
}

// left reports whether a system that was told something was seen to hold
// something else since: one that had left our word by itself comes back to it
// by itself.
func left(told events.Said, before events.Seen, s sight) bool {
	if told.Since.IsZero() || before.Over != "" || digest(before.Value) == digest(s.Value) {
		return false // what the outcome of our own write told is nothing that the system did by itself
	}
	slack := echoSlack
	if told.Shown && !s.read.IsZero() {
		slack = readSlack
	}
	return before.At.After(told.Since.Add(slack))
}

// lastDone is the place of the last document that the system is known to hold;
// -1 when there is none.
func lastDone(said []events.Said) int {
	for i := len(said) - 1; i >= 0; i-- {
		if !said[i].Since.IsZero() {
			return i
		}
	}
	return -1
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
