package hubspot

import (
	"time"

	"github.com/spoke-sync/spoke/events"
)

// ParseJournal reads a journal file as a scan does.
func ParseJournal(file []byte, from int) (changes []events.Change, last bool, err error) {
	j := &journal{connection: "hubspot", kinds: standard(), portal: 48012345, now: time.Now}
	p, err := parseJournal(file, from, journalPiece)
	if err != nil {
		return nil, false, err
	}
	for _, e := range p.events {
		list, err := j.changes(e)
		if err != nil {
			return nil, false, err
		}
		changes = append(changes, list...)
	}
	return changes, p.last, nil
}
