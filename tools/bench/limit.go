package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	rawBatch   = 1000
	rawWriters = 2
)

// rawLimit measures how fast this machine's disk and NATS take the same bytes:
// atomic batches into one stream, every acknowledged batch fsynced.
func rawLimit(dir string, l *load) (float64, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "raw", NoSigs: true, NoLog: true, DontListen: true, JetStream: true, StoreDir: dir, SyncAlways: true,
	})
	if err != nil {
		return 0, err
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(30 * time.Second) {
		return 0, fmt.Errorf("raw limit: NATS is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw.>"}, AllowAtomicPublish: true}); err != nil {
		return 0, err
	}
	body := l.batch(1)
	body = body[1 : len(body)-1] // one event, without the array
	batches := max(1, l.events/rawBatch)
	work := make(chan int, batches)
	for i := range batches {
		work <- i
	}
	close(work)
	began := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, rawWriters)
	for w := range rawWriters {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for b := range work {
				msgs := make([]*nats.Msg, rawBatch)
				for i := range msgs {
					msgs[i] = &nats.Msg{Subject: fmt.Sprintf("raw.%d", b*rawBatch+i), Data: body, Header: nats.Header{}}
				}
				if _, err := jetstreamext.PublishMsgBatch(ctx, js, msgs, jetstreamext.BatchFlowControl{}); err != nil {
					errs[w] = err
					return
				}
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, fmt.Errorf("raw limit: %w", err)
		}
	}
	return float64(batches*rawBatch) / time.Since(began).Seconds(), nil
}
