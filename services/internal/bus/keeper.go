package bus

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// keeper tells the server of messages that are still worked on, so that the
// ack time can be short: what a process had that died comes to another one
// within seconds, what takes long does not come twice.
type keeper struct {
	done <-chan struct{} // the bus is closed

	mu      sync.Mutex
	open    map[jetstream.Msg]kept
	running bool
}

type kept struct{ since, told time.Time }

const (
	// beat is how often a message is told to be worked on. Some beats may get
	// lost before the server takes its worker for dead.
	beat = ackWait / 4
	// keepFor bounds how long a message is kept from others, should its worker
	// have forgotten it.
	keepFor = time.Hour
)

func newKeeper(done <-chan struct{}) *keeper {
	return &keeper{done: done, open: map[jetstream.Msg]kept{}}
}

func (k *keeper) add(msgs []Delivered) {
	if len(msgs) == 0 {
		return
	}
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range msgs {
		k.open[m.msg] = kept{now, now}
	}
	if !k.running {
		k.running = true
		go k.run()
	}
}

// drop is for a message that is done. The nil keeper keeps nothing.
func (k *keeper) drop(m jetstream.Msg) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, m)
}

// run ends when there is nothing to keep.
func (k *keeper) run() {
	tick := time.NewTicker(beat / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-k.done:
			return
		}
		due, left := k.due(time.Now())
		if !left {
			return
		}
		for _, m := range due {
			if m.InProgress() != nil { // not connected: whoever gets it, gets it
				k.drop(m)
			}
		}
	}
}

func (k *keeper) due(now time.Time) (due []jetstream.Msg, left bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for m, at := range k.open {
		switch {
		case now.Sub(at.since) > keepFor:
			delete(k.open, m)
		case now.Sub(at.told) >= beat:
			due = append(due, m)
			k.open[m] = kept{at.since, now}
		}
	}
	k.running = len(k.open) > 0
	return due, k.running
}
