package feed

import (
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Store keeps rows and, in the same step, the position of the last one. A
// lake.Lake is one.
type Store interface {
	// Position returns the last sequence that is durably stored.
	Position() uint64
	// Append takes messages in stream order and leaves out what it has.
	Append(entries ...lake.Entry) error
	// Pending returns how many rows wait and the last sequence appended.
	Pending() (rows int, last uint64)
	// Commit makes all of them durable, with the position, or fails. A Store
	// that failed is closed and opened again.
	Commit() (lake.Commit, error)
	Close() error
}

// Lake returns a function for Loader.Open that opens the lake under root.
func Lake(root string) func(row.Stream) (Store, error) {
	return func(s row.Stream) (Store, error) {
		l, err := lake.Open(root, s)
		if err != nil {
			return nil, err
		}
		return l, nil
	}
}
