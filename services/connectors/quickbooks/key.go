package quickbooks

import (
	"strings"

	"github.com/spoke-sync/spoke/events"
)

// stamped adds a key to a note that people may have written. The key stands
// on a line of its own, and once only. Notes that would outgrow the limit
// lose their end, never the key.
func stamped(note, key string, limit int) string {
	note = strings.TrimSpace(note)
	if key == "" || carries(note, key) {
		return note
	}
	if note == "" {
		return key
	}
	if room := limit - len(key) - 1; len([]rune(note)) > room {
		note = strings.TrimSpace(string([]rune(note)[:max(room, 0)]))
	}
	return strings.TrimSpace(note + "\n" + key)
}

// carries reports whether a note holds exactly this key: spoke-deal-7 is not
// in a note with spoke-deal-77.
func carries(note, key string) bool {
	if key == "" {
		return false
	}
	for rest := note; ; {
		at := strings.Index(rest, key)
		if at < 0 {
			return false
		}
		end := at + len(key)
		if (at == 0 || !inKey(rest[at-1])) && (end == len(rest) || !inKey(rest[end])) {
			return true
		}
		rest = rest[at+1:]
	}
}

func inKey(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c == '-'
}

// recordIn reads the record back from a note. marked is true when the note
// holds a key of Spoke's; the Key is zero when it holds several records' keys,
// or one that does not tell its record.
func recordIn(note string) (found events.Key, marked bool) {
	several := false
	for word := range strings.FieldsFuncSeq(note, func(r rune) bool { return r > 0x7f || !inKey(byte(r)) }) {
		k, ours := events.RecordOf(word)
		if !ours {
			continue
		}
		several = several || marked && found != k
		found, marked = k, true
	}
	if several {
		return events.Key{}, true
	}
	return found, marked
}

// foreign reports whether a note holds a key of Spoke's other than this one.
func foreign(note, key string) bool {
	rest := note
	for carries(rest, key) {
		rest = strings.Replace(rest, key, " ", 1)
	}
	return strings.Contains(rest, "spoke-")
}
