package jet

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Publisher stores rows on WAREHOUSE.
type Publisher struct{ bus *bus.Bus }

var _ feed.Publisher = Publisher{}

// NewPublisher returns a Publisher. It may be shared.
func NewPublisher(b *bus.Bus) Publisher { return Publisher{bus: b} }

// publishLimit bounds one Publish. It is below the ack wait of the durables
// and below what orchestrators grant a process to stop, 30 seconds.
const publishLimit = 20 * time.Second

// Publish implements feed.Publisher. It ends what it has begun when ctx ends,
// so that an ordinary stop leaves nothing half done.
func (p Publisher) Publish(ctx context.Context, rows []row.Envelope) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
	defer cancel()
	msgs := make([]bus.Message, len(rows))
	for i, r := range rows {
		// The hop before is the source message's, whose context the event has.
		m, err := bus.EncodeEvent(bus.ExtractEvent(ctx, nil, r.Event), r.Subject, r.Event)
		if err != nil {
			return err
		}
		m.ID = r.ID
		msgs[i] = m
	}
	return p.bus.Once(ctx, msgs)
}
