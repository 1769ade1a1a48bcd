package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Newest is LastOne as the stream's leader answers it: what was stored before
// the call is seen, which any other replica may not have yet. It costs one
// request of the leader, so it is for what is rare.
func (b *Bus) Newest(ctx context.Context, stream, subject string) (m Stored, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ask, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return Stored{}, false, err
	}
	// The client's own call asks any replica.
	reply, err := b.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, ask)
	if err != nil {
		return Stored{}, false, fmt.Errorf("bus: read %s: %w", stream, err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Time    time.Time `json:"time"`
			Data    []byte    `json:"data"`
		} `json:"message"`
	}
	switch err := json.Unmarshal(reply.Data, &answer); {
	case err != nil:
		return Stored{}, false, fmt.Errorf("bus: read %s: %w", stream, err)
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return Stored{}, false, nil
	case answer.Error != nil:
		return Stored{}, false, fmt.Errorf("bus: read %s: %w", stream, answer.Error)
	case answer.Message == nil:
		return Stored{}, false, fmt.Errorf("bus: read %s: %w", stream, errNoMessage)
	}
	a := answer.Message
	return Stored{Subject: a.Subject, Seq: a.Seq, Time: a.Time, Data: a.Data}, true, nil
}

var errNoMessage = errors.New("an answer without a message")
