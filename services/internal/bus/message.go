package bus

import (
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is one message to publish.
type Message struct {
	Subject string
	Data    []byte
	// Header holds what Spoke sets itself. Headers from outside never get
	// here (rule 10).
	Header nats.Header
	// ID makes the server drop a repeat within its window. Batch leaves it
	// out, since one known id would refuse the whole batch; see Once.
	ID string
	// Expect makes the publish conditional: the last sequence on the subject
	// must be *Expect, 0 meaning that there is none.
	Expect *uint64
}

// Seq returns a pointer to n, for Message.Expect.
func Seq(n uint64) *uint64 { return &n }

// native makes a fresh nats.Msg, since publishing writes into the header.
func (m Message) native() *nats.Msg {
	msg := &nats.Msg{Subject: m.Subject, Data: m.Data, Header: make(nats.Header, len(m.Header)+4)}
	for k, v := range m.Header {
		msg.Header[k] = v
	}
	if m.Expect != nil {
		msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(*m.Expect, 10))
	}
	return msg
}
