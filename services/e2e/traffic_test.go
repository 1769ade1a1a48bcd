package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/powercut"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// traffic remembers what was answered.
type traffic struct {
	mu sync.Mutex
	// events by subject, with a text that is in the event.
	events map[string]string
	// values by key of the bucket.
	values map[string]string
}

func newTraffic() *traffic {
	return &traffic{events: map[string]string{}, values: map[string]string{}}
}

// trafficBucket holds the values.
const trafficBucket = "power"

// talker says one thing more and returns what was answered: subjects of
// events with a text of each, or keys with their values.
type talker func(ctx context.Context, id string) map[string]string

// run has upstreams, a vendor and clients of JetStream talk, all at once. Once
// each has had an answer, the power is cut after some more changes of the disk.
// Then nothing runs any more.
func (tr *traffic) run(t *testing.T, p powered, disk *powercut.Disk, round, after int) {
	t.Helper()
	nc, err := nats.Connect(p.nats, nats.NoReconnect())
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	kv, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: trafficBucket, Storage: jetstream.FileStorage})
	require.NoError(t, err)
	disk.Sync()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var talking, answered sync.WaitGroup
	talk := func(first int, into map[string]string, say talker) {
		answered.Add(1)
		heard := sync.OnceFunc(answered.Done)
		talking.Go(func() {
			defer heard() // the disk may die before
			for n := 0; ctx.Err() == nil; n++ {
				// Ids are numbers, as those of HubSpot's objects.
				id := strconv.Itoa((round+1)*100_000_000 + first*1_000_000 + n)
				said := say(ctx, id)
				if len(said) > 0 {
					heard()
				}
				tr.mu.Lock()
				maps.Copy(into, said)
				tr.mu.Unlock()
			}
		})
	}
	for first := range 4 {
		talk(first, tr.events, func(ctx context.Context, id string) map[string]string { return postEvents(ctx, p.ingest, id, 1) })
	}
	talk(4, tr.events, func(ctx context.Context, id string) map[string]string { return postEvents(ctx, p.ingest, id, 20) })
	for first := range 3 {
		talk(5+first, tr.events, func(ctx context.Context, id string) map[string]string { return notify(ctx, p.ingest, id) })
	}
	for first := range 2 {
		talk(8+first, tr.values, func(ctx context.Context, id string) map[string]string {
			if _, err := kv.PutString(ctx, id, "value "+id); err != nil {
				return nil
			}
			return map[string]string{id: "value " + id}
		})
	}
	talking.Go(func() {
		answered.Wait()
		disk.CutAfter(after)
	})
	select {
	case <-disk.Dead():
	case <-time.After(patience):
		t.Error("the disk is hardly used")
	}
	p.kill()
	stop()
	talking.Wait()
}

// postEvents posts CloudEvents of an upstream, in batch mode if there are
// several, each about a company of its own.
func postEvents(ctx context.Context, ingest, id string, count int) map[string]string {
	said := map[string]string{}
	var all []string
	for n := range count {
		one := fmt.Sprintf("%s-%d", id, n)
		said[events.EventSubject("demo", "shop", events.EntityCompany, events.OpChanged, one)] = "Company " + one
		all = append(all, fmt.Sprintf(`{"specversion":"1.0","id":"event-%s","source":"/shop","type":"com.shop.company.changed.v1",`+
			`"subject":"company/%s","data":{"name":"Company %s"}}`, one, one, one))
	}
	mode, body := "application/cloudevents+json", all[0]
	if count > 1 {
		mode, body = "application/cloudevents-batch+json", "["+strings.Join(all, ",")+"]"
	}
	if !accepted(ctx, ingest+"/events", body, http.Header{"Content-Type": {mode}, "Authorization": {"Bearer demo-upstream-token"}}) {
		return nil
	}
	return said
}

// notify posts a webhook as HubSpot signs it, about a deal of its own.
func notify(ctx context.Context, ingest, id string) map[string]string {
	now := time.Now()
	url := ingest + "/webhooks/hubspot"
	body := fmt.Sprintf(`[{"eventId":%s,"subscriptionId":1,"portalId":%d,"appId":%d,"occurredAt":%d,"attemptNumber":0,`+
		`"subscriptionType":"deal.propertyChange","objectId":%s,"propertyName":"amount","propertyValue":"1"}]`,
		id, hubspotbox.DefaultPortalID, hubspotbox.DefaultAppID, now.UnixMilli(), id)
	if !accepted(ctx, url, body, http.Header{
		"Content-Type":                {"application/json"},
		"X-Hubspot-Request-Timestamp": {strconv.FormatInt(now.UnixMilli(), 10)},
		"X-Hubspot-Signature-V3":      {hubspotbox.SignV3(hubspotbox.DefaultClientSecret, http.MethodPost, url, []byte(body), now)},
	}) {
		return nil
	}
	return map[string]string{events.EventSubject("demo", "hubspot", events.EntityDeal, events.OpChanged, id): `"amount"`}
}

// accepted reports whether a call was answered 2xx. An answer that comes after
// the power was cut counts as well.
func accepted(ctx context.Context, url, body string, header http.Header) bool {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}

// missing returns what was answered and is not there, of how many, and
// forgets it.
func (tr *traffic) missing(t *testing.T, p powered) (lost []string, all int) {
	t.Helper()
	nc, err := nats.Connect(p.nats, nats.NoReconnect())
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	stored := storedEvents(t, js)
	all = len(tr.events) + len(tr.values)
	for subject, text := range tr.events {
		if !strings.Contains(stored[subject], text) {
			lost = append(lost, subject)
			delete(tr.events, subject)
		}
	}
	kv, err := js.KeyValue(t.Context(), trafficBucket)
	require.NoError(t, err)
	for key, value := range tr.values {
		e, err := kv.Get(t.Context(), key)
		if errors.Is(err, jetstream.ErrKeyNotFound) || (err == nil && string(e.Value()) != value) {
			lost = append(lost, key)
			delete(tr.values, key)
			continue
		}
		require.NoError(t, err)
	}
	slices.Sort(lost)
	return lost, all
}

// storedEvents reads EVENTS, by subject.
func storedEvents(t *testing.T, js jetstream.JetStream) map[string]string {
	t.Helper()
	stored := map[string]string{}
	stream, err := js.Stream(t.Context(), events.StreamEvents)
	require.NoError(t, err)
	last := stream.CachedInfo().State.LastSeq
	if stream.CachedInfo().State.Msgs == 0 {
		return stored
	}
	c, err := js.OrderedConsumer(t.Context(), events.StreamEvents, jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	msgs, err := c.Messages()
	require.NoError(t, err)
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextMaxWait(patience))
		require.NoError(t, err)
		stored[m.Subject()] += string(m.Data())
		meta, err := m.Metadata()
		require.NoError(t, err)
		if meta.Sequence.Stream >= last {
			return stored
		}
	}
}
