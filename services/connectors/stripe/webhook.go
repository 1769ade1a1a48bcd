package stripe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// webhooks implements connector.Webhooks for snapshot and thin events. Of
// either only the name of the object is used, and the object is read: events
// arrive in any order, their time has whole seconds, their content is of the
// version that the endpoint was made with, and the same change may come as a
// snapshot and as a thin event. What is read is right whatever came first.
type webhooks struct {
	speaker
	secrets  [][]byte
	now      func() time.Time
	account  string
	shared   bool
	livemode *bool
}

// notice is an event as Stripe posts it, of either style.
type notice struct {
	ID       string          `json:"id"`
	Object   string          `json:"object"`
	Type     string          `json:"type"`
	Created  json.RawMessage `json:"created"`
	Livemode *bool           `json:"livemode"`
	Account  string          `json:"account"` // of events of a Connect platform's accounts
	Context  string          `json:"context"` // of an organization's; its last part is the account
	Data     struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
	Related *struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"related_object"`
}

// The two styles of events.
const (
	styleSnapshot = "event"
	styleThin     = "v2.core.event"
)

// Decode implements connector.Webhooks. Stripe posts one event a delivery,
// with an id that stays the same however often it is delivered.
func (w *webhooks) Decode(d connector.Delivery) ([]events.Event, error) {
	var n notice
	if err := json.Unmarshal(d.Body, &n); err != nil {
		return nil, malformed("", "event: %w", err).WithHint("what stands between Stripe and Spoke must pass the body on as it is")
	}
	if n.ID == "" || n.Type == "" {
		return nil, malformed("id", "event has no id or no type")
	}
	at, err := n.time()
	if err != nil {
		return nil, malformed("created", "event %s: %w", n.ID, err)
	}
	if ours, err := w.concerns(n); err != nil || !ours {
		return nil, err
	}
	about, err := n.about()
	if err != nil {
		return nil, malformed("data.object", "event %s: %w", n.ID, err)
	}
	out := make([]events.Event, 0, len(about))
	for i, t := range about {
		if t.id == "" {
			return nil, malformed("data.object.id", "event %s: the object has no id", n.ID)
		}
		id := n.ID
		if i > 0 {
			id += "." + strconv.Itoa(i)
		}
		out = append(out, events.NewChange(KindName, id, w.signal(t, at)))
	}
	return out, nil
}

func malformed(field, format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "stripe: decode webhook", format, args...).WithField(field)
}

// concerns reports whether the event is of this connection's account and
// mode. The endpoint of a platform or an organization gets those of all its
// accounts, and a live one of a platform test events as well: they are left
// out. At an account's own endpoint they are a mistake, which is told.
func (w *webhooks) concerns(n notice) (bool, error) {
	account := n.Account
	if account == "" {
		account = n.Context[strings.LastIndexByte(n.Context, '/')+1:]
	}
	if w.account != "" && account != "" && account != w.account {
		if w.shared {
			return false, nil
		}
		return false, malformed("account", "event %s is of the account %s, this connection is of %s", n.ID, clean(account), w.account).
			WithHint("correct the account of the connection or the URL of the endpoint; or set shared: true where an endpoint serves several accounts")
	}
	if w.livemode != nil && n.Livemode != nil && *w.livemode != *n.Livemode {
		if w.shared {
			return false, nil
		}
		return false, malformed("livemode", "event %s has livemode %t, this connection is of the other mode", n.ID, *n.Livemode).
			WithHint("let the endpoint of each mode call a connection of its own")
	}
	return true, nil
}

// time reads when the event was made: Unix seconds, or RFC 3339 in a thin one.
func (n notice) time() (time.Time, error) {
	if bytes.HasPrefix(n.Created, []byte{'"'}) {
		var t time.Time
		if err := json.Unmarshal(n.Created, &t); err != nil {
			return time.Time{}, fmt.Errorf("created: %w", err)
		}
		return checkTime(t)
	}
	var seconds int64
	if err := json.Unmarshal(n.Created, &seconds); err != nil {
		return time.Time{}, fmt.Errorf("created: %w", err)
	}
	return checkTime(time.Unix(seconds, 0))
}

// checkTime refuses years that have no RFC 3339 form.
func checkTime(t time.Time) (time.Time, error) {
	if y := t.UTC().Year(); y < 2000 || y > 9999 {
		return time.Time{}, fmt.Errorf("created: the year %d is out of range", y)
	}
	return t.UTC(), nil
}

// signal says that an object changed.
func (s speaker) signal(t thing, at time.Time) events.Change {
	return events.Change{
		Connection: s.connection, Object: t.object, Entity: entityOf(t.object), ID: t.id,
		Op: events.OpChanged, At: at.UTC(), Signal: true,
	}
}
