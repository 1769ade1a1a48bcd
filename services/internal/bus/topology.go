package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
)

// Topology is every stream, durable consumer and key-value bucket, as data.
// One admin step creates it; services create nothing.
type Topology struct {
	Streams   []jetstream.StreamConfig
	Consumers []Durable
	Buckets   []jetstream.KeyValueConfig
}

// Durable is a consumer of a stream.
type Durable struct {
	Stream string
	Config jetstream.ConsumerConfig
}

// TopologyOptions size a topology.
type TopologyOptions struct {
	Tenant string
	// Connections with a sink.
	Connections []string
	// Replicas is 1 for a single server, 3 for a cluster.
	Replicas int
}

// Bucket names.
const (
	BucketCheckpoints = "checkpoints"
	BucketTokens      = "tokens"
	BucketConnections = "connections"
	BucketBudgets     = "budgets"
)

// LedgerBucket is the ledger of a connection.
func LedgerBucket(connection string) string { return "ledger_" + connection }

// Durable names.
const (
	DurableTransform    = "transform"
	DurableWarehouse    = "warehouse"
	DurableFeeder       = "feeder"
	durableSinkPrefix   = "sink_"
	month               = 30 * 24 * time.Hour
	duplicates          = 10 * time.Minute
	maxPendingTransform = 20_000
	maxPendingSink      = 2_000
	maxPendingFeeder    = 1_000
)

// ackWait is how long after the last sign of life a worker is taken for dead.
// What is worked on is told to be; see keeper.
const ackWait = 8 * time.Second

// SinkDurable is the consumer of a connection's desired documents.
func SinkDurable(connection string) string { return durableSinkPrefix + connection }

// NewTopology returns the topology of the design.
func NewTopology(o TopologyOptions) Topology {
	t := Topology{
		Streams: []jetstream.StreamConfig{
			logStream(events.StreamEvents, "events.>", o.Replicas),
			hubStream(o.Replicas),
			logStream(events.StreamWarehouse, "warehouse.>", o.Replicas),
			quarantineStream(o.Replicas),
			logStream(events.StreamAlerts, "alert.>", o.Replicas),
			auditStream(o.Replicas),
			scheduleStream(o.Replicas),
		},
		Buckets: []jetstream.KeyValueConfig{
			bucket(BucketCheckpoints, o.Replicas),
			bucket(BucketTokens, o.Replicas),
			bucket(BucketConnections, o.Replicas),
			bucket(BucketBudgets, o.Replicas),
		},
		Consumers: []Durable{
			{events.StreamEvents, consumer(DurableTransform, maxPendingTransform, "events."+events.Token(o.Tenant)+".>")},
			{events.StreamEvents, consumer(DurableWarehouse, maxPendingTransform, "events."+events.Token(o.Tenant)+".>")},
			{events.StreamHub, consumer(DurableWarehouse, maxPendingTransform, "record."+events.Token(o.Tenant)+".>")},
			{events.StreamSchedules, feederConsumer(o.Tenant)},
		},
	}
	for _, c := range o.Connections {
		t.Buckets = append(t.Buckets, bucket(LedgerBucket(c), o.Replicas))
		t.Consumers = append(t.Consumers, Durable{
			events.StreamHub,
			consumer(SinkDurable(c), maxPendingSink, events.DesiredFilter(o.Tenant, c)),
		})
	}
	return t
}

// logStream keeps every message for 30 days. It refuses when full instead of
// dropping what nobody has read yet, and can't be purged.
func logStream(name, subject string, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{subject}, Storage: jetstream.FileStorage, Replicas: replicas,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxAge: month, MaxBytes: -1,
		Duplicates: duplicates, DenyDelete: true, DenyPurge: true, AllowAtomicPublish: true, AllowDirect: true,
	}
}

// auditStream keeps what people did for a year.
func auditStream(replicas int) jetstream.StreamConfig {
	s := logStream(events.StreamAudit, "audit.>", replicas)
	s.MaxAge = 12 * month
	return s
}

// hubStream is the table: the latest message per subject, for ever.
func hubStream(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:     events.StreamHub,
		Subjects: []string{"record.>", "desired.>", "alias.>", "held.>", "waiting.>", "moved.>", "bequest.>", "link.>", "match.>"},
		Storage:  jetstream.FileStorage, Replicas: replicas, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1, MaxBytes: -1, Duplicates: duplicates,
		// Not DenyDelete: what was held or waiting is removed once it is released.
		DenyPurge: true, AllowAtomicPublish: true, AllowDirect: true,
	}
}

// quarantineStream keeps one message per subject until it is released.
func quarantineStream(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: events.StreamQuarantine, Subjects: []string{"quarantine.>"},
		Storage: jetstream.FileStorage, Replicas: replicas, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1, MaxBytes: -1, Duplicates: duplicates,
		DenyPurge: true, AllowAtomicPublish: true, AllowDirect: true,
	}
}

// scheduleStream holds when work is due, and the latest announcement that it
// is. The server refuses DiscardNew here and lets a publisher wipe the stream,
// so nothing is in it that can't be made anew.
func scheduleStream(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: events.StreamSchedules, Subjects: []string{"schedule.>", "due.>"},
		Storage: jetstream.FileStorage, Replicas: replicas, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardOld, MaxMsgsPerSubject: 1, MaxBytes: -1, Duplicates: duplicates,
		AllowMsgSchedules: true, AllowRollup: true, AllowDirect: true,
	}
}

// FeederAckWait is after how long work that a dead replica was given comes to
// another one.
const FeederAckWait = 8 * time.Second

func feederConsumer(tenant string) jetstream.ConsumerConfig {
	c := consumer(DurableFeeder, maxPendingFeeder, events.DueFilter(tenant))
	c.AckWait = FeederAckWait
	return c
}

func bucket(name string, replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Bucket: name, History: 1, Storage: jetstream.FileStorage, Replicas: replicas}
}

// consumer never gives up on a message: attempts are counted by the services,
// which put what can't be done into QUARANTINE.
func consumer(durable string, maxPending int, filter string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
		MaxDeliver: -1, MaxAckPending: maxPending, FilterSubject: filter,
		DeliverPolicy: jetstream.DeliverAllPolicy, MaxWaiting: 512,
	}
}

// Provision creates what is missing and brings stream settings up to date. It
// is safe to run at every start. It retries while the server has no leader
// yet, until ctx ends.
func (b *Bus) Provision(ctx context.Context, t Topology) error {
	for _, s := range t.Streams {
		if err := b.retry(ctx, func(ctx context.Context) error {
			_, err := b.js.CreateOrUpdateStream(ctx, s)
			return err
		}); err != nil {
			return fmt.Errorf("bus: stream %s: %w", s.Name, err)
		}
	}
	for _, kv := range t.Buckets {
		if err := b.retry(ctx, func(ctx context.Context) error {
			_, err := b.js.CreateOrUpdateKeyValue(ctx, kv)
			return err
		}); err != nil {
			return fmt.Errorf("bus: bucket %s: %w", kv.Bucket, err)
		}
	}
	for _, d := range t.Consumers {
		if err := b.retry(ctx, func(ctx context.Context) error { return b.provisionConsumer(ctx, d) }); err != nil {
			return fmt.Errorf("bus: consumer %s of %s: %w", d.Config.Durable, d.Stream, err)
		}
	}
	return nil
}

// provisionConsumer brings the ack time of an existing durable up to date, and
// else leaves it as it is: updating one is harmless, recreating one would
// deliver everything again.
func (b *Bus) provisionConsumer(ctx context.Context, d Durable) error {
	c, err := b.js.Consumer(ctx, d.Stream, d.Config.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = b.js.CreateConsumer(ctx, d.Stream, d.Config)
		return err
	}
	if err != nil {
		return err
	}
	if cfg := c.CachedInfo().Config; cfg.AckWait != d.Config.AckWait {
		cfg.AckWait = d.Config.AckWait
		_, err = b.js.UpdateConsumer(ctx, d.Stream, cfg)
	}
	return err
}

// AdminLimit bounds one administrative call. The server answers within
// milliseconds; an answer that went down with the connection never comes.
const AdminLimit = 5 * time.Second

// retry repeats an admin call that met a server which is not ready or was lost.
func (b *Bus) retry(ctx context.Context, call func(context.Context) error) error {
	for {
		err := Admin(ctx, call)
		var api *jetstream.APIError
		if err == nil || errors.As(err, &api) && api.Code < 500 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// Admin makes one administrative call, for at most AdminLimit.
func Admin(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, AdminLimit)
	defer cancel()
	return call(ctx)
}
