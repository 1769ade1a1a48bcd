package feed

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Message is one message of a stream.
type Message struct {
	row.Origin
	Data []byte
}

// Batch is what one Fetch brings.
type Batch struct {
	Messages []Message // in the order of delivery
	// Ack tells the server that all of Messages are done. It may be nil. A
	// lost ack only means that the messages come again.
	Ack func(context.Context) error
}

// Source delivers the messages of one consumer.
type Source interface {
	// Fetch returns what is ready, at most limit messages. It waits up to
	// wait for the first one and returns an empty Batch, without an error,
	// when nothing came or ctx ended.
	Fetch(ctx context.Context, limit int, wait time.Duration) (Batch, error)
}

// Log is a Source that can be read from any position: WAREHOUSE.
type Log interface {
	Source
	// Stream identifies the stream behind the Log. It asks the server, since
	// the stream may have been made anew.
	Stream(ctx context.Context) (row.Stream, error)
	// Seek makes the next Fetch start with the first message after a
	// sequence, whatever was delivered or acked before: an ordered consumer
	// from after+1, or a durable that is reset to it.
	Seek(ctx context.Context, after uint64) error
	// After returns the sequence of the first message after one that the
	// stream holds and the Source would deliver. found is false when there is
	// none, or the server that answered does not know of it yet.
	After(ctx context.Context, after uint64) (seq uint64, found bool, err error)
}

// Publisher stores rows on WAREHOUSE.
type Publisher interface {
	// Publish stores all rows, in order, and returns once they are on disk. A
	// row whose ID the stream knows already counts as stored: an atomic batch
	// that is refused for one known id must be tried again row by row. After
	// an error any number of rows, from the front, may be stored.
	Publish(ctx context.Context, rows []row.Envelope) error
}

// Refuser puts away a message that makes no row, for people to see.
type Refuser interface {
	// Refuse returns once the message is in QUARANTINE with its reason, which
	// has a kind (package fault).
	Refuse(ctx context.Context, m Message, reason error) error
}
