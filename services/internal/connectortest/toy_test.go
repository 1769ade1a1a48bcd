package connectortest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// toyToken opens the toy vendor, and signs its webhooks.
const toyToken = "toy-token-0123456789"

// toy is a connector with a switch for each way to be wrong.
type toy struct {
	client rest.Client
	deps   connector.Deps
	wrong  string
	passed int // things, for a connector that keeps its place in memory
}

func toyKind(wrong string) connector.Kind {
	flowField := "name"
	if wrong == "flow of an unknown field" {
		flowField = "labl"
	}
	k := connector.Kind{
		Name: "toy", Title: "Toy", Limits: connector.Limits{Concurrent: 1},
		Settings: func() any { return &toySettings{} },
		Objects: []connector.Object{{
			Name: "thing", Entity: events.EntityProduct, Can: connector.Create | connector.Update | connector.Read | connector.Webhook,
			Fields: []connector.Field{
				{Name: "name", Type: connector.FieldString, Required: true}, {Name: "of", Type: connector.FieldRef, Ref: "thing"},
			},
		}},
		Feeds: []connector.Feed{{Name: "thing", Objects: []string{"thing"}, Backfill: true, Poll: true, Overlap: time.Minute}},
		Flows: fstest.MapFS{"thing.yaml": {Data: []byte(
			"flow: toy\nfrom: product\nobject: thing\nfields: {" + flowField + ": product.name}\n",
		)}},
		Open: func(settings any, deps connector.Deps) (connector.Connector, error) {
			s := settings.(*toySettings)
			v := &toy{client: rest.Client{HTTP: deps.HTTP, Base: s.URL}, deps: deps, wrong: wrong}
			switch wrong {
			case "follows redirects":
				v.client.HTTP = &http.Client{Transport: deps.HTTP.Transport}
			case "reads to the end":
				v.client.MaxBody = 1 << 40
			}
			return connector.Connector{Target: v, Reader: v, Webhooks: v, Scanner: v}, nil
		},
	}
	if wrong == "object twice" {
		k.Objects = append(k.Objects, k.Objects[0])
	}
	everything := connector.Create | connector.Update | connector.Delete | connector.Read | connector.Webhook
	switch wrong {
	case "declares too much":
		k.Objects = append(k.Objects, connector.Object{Name: "part", Entity: events.EntityProduct, Can: everything})
	case "declares too little":
		k.Objects[0].Can = 0
	case "reads the undeclared":
		k.Objects = append(k.Objects, connector.Object{Name: "part", Entity: events.EntityProduct})
	}
	if wrong == "feed of an unknown object" {
		k.Feeds[0].Objects = []string{"thng"}
	}
	if wrong == "feed that nobody tests" {
		k.Feeds = append(k.Feeds, connector.Feed{Name: "other", Objects: []string{"thing"}, Backfill: true})
	}
	return k
}

func (v *toy) fault(k fault.Kind, text string) error {
	switch v.wrong {
	case "errors without kind":
		return errors.New(text)
	case "errors of another name":
		return fault.New(k, "other: thing", "%s", text)
	case "errors with secrets":
		return fault.New(k, "toy: thing", "%s with %s", text, toyToken)
	case "every error is transient":
		k = fault.Transient
	}
	return fault.New(k, "toy: thing", "%s", text)
}

// call returns nil for a proper 404.
func (v *toy) call(ctx context.Context, method, path string, body any) (*thing, error) {
	b, _ := json.Marshal(body)
	r := rest.Request{Op: "toy: thing", Method: method, Path: path, Body: b, Safe: true}
	resp, err := v.client.Do(ctx, r)
	var x thing
	switch {
	case err != nil:
		return nil, v.fault(fault.KindOf(err), err.Error())
	case resp.Status == 404 && (json.Valid(resp.Body) || v.wrong == "any 404 is absence"):
		return nil, nil
	case !resp.OK():
		return nil, v.fault(rest.Classify(r, resp, "").Kind, "refused")
	case path == "/ping":
		return &x, nil
	}
	if err := json.Unmarshal(resp.Body, &x); (err != nil || x.ID == "") && v.wrong != "answers unread" {
		return nil, v.fault(fault.Ambiguous, "answer is no thing")
	}
	return &x, nil
}

func (v *toy) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	results := make([]connector.Result, 0, len(docs))
	if v.wrong == "no results" {
		return results
	}
	for _, d := range docs {
		results = append(results, v.applyOne(ctx, d))
	}
	return results
}

func (v *toy) applyOne(ctx context.Context, d connector.Document) connector.Result {
	if (d.Object != "thing" || d.Op != events.DesiredUpsert) && v.wrong != "takes anything" {
		return connector.Result{Err: v.fault(fault.Rejected, "no such thing")}
	}
	if v.wrong == "ignores its context" {
		ctx = context.WithoutCancel(ctx)
	}
	method, effect := http.MethodPut, events.EffectCreated
	if v.wrong == "posts" {
		method = http.MethodPost
	}
	if d.ExternalID != "" {
		effect = events.EffectUpdated
		if v.wrong == "updates nothing" {
			return connector.Result{ID: d.ExternalID, Effect: effect}
		}
	}
	if v.wrong == "blind to references" {
		d.Fields = map[string]any{"name": d.Fields["name"]}
	}
	x, err := v.call(ctx, method, "/things/"+d.Key, d.Fields)
	if err != nil {
		return connector.Result{Err: err}
	}
	if x == nil {
		return connector.Result{Err: v.fault(fault.Rejected, "not found")}
	}
	r := connector.Result{ID: x.ID, Effect: effect, Seen: events.Fields{}}
	r.Seen.Set("name", x.Name)
	switch v.wrong {
	case "strange fields":
		r.Seen.Set("labl", "x")
	case "shows another value":
		r.Seen.Set("name", strings.ToUpper(x.Name))
	case "sends another value":
		r.Seen, r.Sent = nil, events.Fields{}
		r.Sent.Set("name", "not "+x.Name)
	}
	return r
}

func (v *toy) Find(ctx context.Context, d connector.Document) (connector.Result, bool, error) {
	if d.Object != "thing" {
		return connector.Result{}, false, v.fault(fault.Rejected, "no such thing")
	}
	x, err := v.call(ctx, http.MethodGet, "/things/"+d.Key, nil)
	if err != nil || x == nil || v.wrong == "finds nothing" {
		return connector.Result{}, false, err
	}
	return connector.Result{ID: x.ID}, true, nil
}

func (v *toy) Check(ctx context.Context) error {
	if v.wrong == "checks nothing" {
		return nil
	}
	_, err := v.call(ctx, http.MethodGet, "/ping", nil)
	return err
}

func (v *toy) BatchSize() int { return 1 }

func (v *toy) Read(ctx context.Context, object string, ids []string) ([]events.Change, error) {
	if object != "thing" && v.wrong != "reads the undeclared" {
		return nil, v.fault(fault.Rejected, "no such thing")
	}
	var all []events.Change
	for _, id := range ids {
		c := events.Change{
			Connection: v.deps.Connection, Entity: events.EntityProduct, Object: "thing", ID: id,
			Op: events.OpDeleted, At: time.Now().UTC(),
		}
		x, err := v.call(ctx, http.MethodGet, "/things/"+id, nil)
		if err != nil {
			return nil, err
		}
		if x != nil {
			c.Op, c.Snapshot, c.Fields = events.OpChanged, true, events.Fields{}
			c.Fields.Set("name", x.Name)
		} else if v.wrong == "leaves the missing out" {
			continue
		}
		all = append(all, c)
	}
	return all, nil
}

func toySign(body []byte) string {
	m := hmac.New(sha256.New, []byte(toyToken))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

func (v *toy) Verify(d connector.Delivery) error {
	if hmac.Equal([]byte(toySign(d.Body)), []byte(d.Header.Get("Toy-Signature"))) || v.wrong == "verifies anything" {
		return nil
	}
	return v.fault(fault.Unauthorized, "signature is wrong")
}

func (v *toy) Decode(d connector.Delivery) ([]events.Event, error) {
	var x thing
	if err := json.Unmarshal(d.Body, &x); err != nil {
		return nil, v.fault(fault.Malformed, "no JSON")
	}
	c := events.Change{
		Connection: v.deps.Connection, Entity: events.EntityProduct, Object: "thing", ID: x.ID,
		Op: events.OpChanged, At: time.Unix(1, 0).UTC(), Signal: true,
	}
	if v.wrong == "hears of another" {
		c.ID += "9"
	}
	id := x.ID
	if v.wrong == "ids by the clock" {
		id = d.Received.String()
	}
	return []events.Event{events.NewChange("toy", id, c)}, nil
}

// toyCase is the toy connector, wrong in the given way.
func toyCase(wrong string) connectortest.Case {
	return connectortest.Case{Kind: toyKind(wrong), Start: func(t testing.TB) connectortest.Fixture {
		s := newToyVendor()
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		seed(t, server.URL)
		var touched []string
		signed := func(id string) connector.Delivery {
			body := []byte(`{"id":"` + id + `","name":"seeded"}`)
			return connector.Delivery{
				Method: http.MethodPost, Body: body, Received: time.Unix(2, 0),
				Header: http.Header{"Toy-Signature": {toySign(body)}},
			}
		}
		return connectortest.Fixture{
			Settings: &toySettings{URL: server.URL, Token: secret.New(toyToken)}, Sandbox: s,
			Docs:       []connectortest.Doc{toyDoc("7"), toyPart("8", "7")},
			Deliveries: []connector.Delivery{signed("1")},
			Touch: func(t testing.TB, _, id string) bool {
				toyCall(t, http.MethodPost, server.URL+"/_sandbox/touch/"+id)
				touched = append(touched, id)
				return true
			},
			Heard: func(testing.TB) []connector.Delivery {
				var all []connector.Delivery
				for _, id := range touched {
					all = append(all, signed(id))
				}
				touched = nil
				return all
			},
			Signature: "Toy-Signature",
			Reads:     []connectortest.Read{{Object: "thing", ID: "1", Missing: "999"}},
			Scans:     []connectortest.Scan{toyScan(server.URL)},
		}
	}}
}

func toyDoc(id string) connectortest.Doc {
	return connectortest.Doc{
		Document: connector.Document{Key: "spoke-product-" + id, Desired: events.Desired{
			Object: "thing", Entity: events.EntityProduct, Record: events.Key{Entity: events.EntityProduct, ID: id},
			Fields: map[string]any{"name": "thing " + id},
		}},
		Created: "thing created", CreateOp: "write thing", Change: map[string]any{"name": "other " + id},
	}
}

// toyPart is a thing that is part of another.
func toyPart(id, of string) connectortest.Doc {
	d := toyDoc(id)
	whole := events.Ref{Object: "thing", Record: events.Key{Entity: events.EntityProduct, ID: of}}
	d.Fields["of"], d.Change["of"] = whole, whole
	return d
}

// seed makes the object that the reader reads.
func seed(t testing.TB, base string) { toyCall(t, http.MethodPost, base+"/things/seeded") }

// toyCall calls the toy vendor as a person does and returns the thing.
func toyCall(t testing.TB, method, url string) (x thing) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(`{"name":"by hand"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = json.NewDecoder(resp.Body).Decode(&x) // a deletion has no answer
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return x
}
