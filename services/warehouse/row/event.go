package row

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spoke-sync/spoke/events"
)

// FromEvent turns an event into its row of `events` and, when it tells the
// outcome of a write, one of `outcomes`. raw is the body of the message on an
// events subject. An outcome that can't be read is Malformed as a whole: half
// of it would look like an event without an effect.
func FromEvent(o Origin, raw []byte) ([]Row, error) {
	var e events.Event
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, malformed(o, errors.New("no event: "+reason(err)))
	}
	// events.<tenant>.<connection>.<entity>.<op>.<id>
	part, err := events.SubjectTokens(o.Subject)
	if err != nil || len(part) != 6 || part[1] == "" {
		return nil, malformed(o, errors.New("no subject of an event"))
	}
	tenant := part[1]
	r, err := eventRow(o, tenant, e)
	if err != nil {
		return nil, err
	}
	r.set("connection", part[2])
	r.set("entity", part[3])
	r.set("op", part[4])
	r.set("external_id", part[5])
	if !e.IsOutcome() {
		return []Row{r}, nil
	}
	out, err := outcomeRow(o, tenant, e)
	if err != nil {
		return nil, err
	}
	return []Row{r, out}, nil
}

func eventRow(o Origin, tenant string, e events.Event) (Row, error) {
	t, _ := Lookup(TableEvents)
	r := start(t, tenant, o)
	r.set("id", e.ID)
	r.set("source", e.Source)
	r.set("type", e.Type)
	r.set("subject", e.Subject)
	r.set("time", e.Time)
	r.set("trace_id", traceID(e.TraceParent))
	if len(e.Data) > 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, e.Data); err != nil {
			return Row{}, malformed(o, errors.New("no event: "+reason(err)))
		}
		r.set("data", json.RawMessage(compact.Bytes()))
	}
	return r, nil
}

func outcomeRow(o Origin, tenant string, e events.Event) (Row, error) {
	var out events.Outcome
	if err := json.Unmarshal(e.Data, &out); err != nil {
		return Row{}, malformed(o, errors.New("no outcome: "+reason(err)))
	}
	t, _ := Lookup(TableOutcomes)
	r := start(t, tenant, o)
	r.set("event_id", e.ID)
	r.set("connection", out.Connection)
	r.set("entity", string(out.Entity))
	r.set("object", out.Object)
	if out.Record.IsZero() {
		r.set("record", "")
	} else {
		r.set("record", out.Record.String())
	}
	r.set("state", string(out.State))
	r.set("effect", string(out.Effect))
	r.set("external_id", out.ID)
	r.set("number", out.Number)
	r.set("url", out.URL)
	r.set("document_hash", out.Hash)
	r.set("document_seq", int64(out.Sequence))
	if out.Attempts > 0 {
		r.set("attempts", int64(out.Attempts))
	}
	if p := out.Error; p != nil {
		r.set("error_kind", p.Kind)
		r.set("error_message", p.Message)
		r.set("error_field", p.Field)
		r.set("error_code", p.Code)
	}
	r.set("written_at", out.At)
	r.set("trace_id", traceID(e.TraceParent))
	return r, nil
}

// traceID takes the trace id out of a W3C traceparent
// (version-traceid-parentid-flags), or returns "".
func traceID(traceparent string) string {
	part := strings.Split(traceparent, "-")
	if len(part) < 4 || len(part[1]) != 32 {
		return ""
	}
	return part[1]
}
