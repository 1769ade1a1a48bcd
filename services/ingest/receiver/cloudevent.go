package receiver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spoke-sync/spoke/events"
)

// cloudEvent is an event from outside: the attributes that mean something to
// Spoke. Other extension attributes are checked and left out (rule 10).
type cloudEvent struct {
	specVersion  string
	id           string
	source       string
	typ          string
	subject      string
	time         string
	contentType  string
	dataSchema   string
	partitionKey string
	traceParent  string
	traceState   string
	// data is JSON, if the content type says so; nil when there is none.
	data []byte
}

// attribute returns where an attribute is kept, nil for an extension that
// Spoke has no use for.
func (e *cloudEvent) attribute(name string) *string {
	switch name {
	case "specversion":
		return &e.specVersion
	case "id":
		return &e.id
	case "source":
		return &e.source
	case "type":
		return &e.typ
	case "subject":
		return &e.subject
	case "time":
		return &e.time
	case "datacontenttype":
		return &e.contentType
	case "dataschema":
		return &e.dataSchema
	case "partitionkey":
		return &e.partitionKey
	case "traceparent":
		return &e.traceParent
	case "tracestate":
		return &e.traceState
	}
	return nil
}

// readStructured reads the JSON form. raw is valid JSON. It does by hand what
// the CloudEvents SDK does, since the SDK passes over names that stand there
// twice and text behind the event, does not look whether the data is JSON,
// and panics at a data_base64 that is a number; a test holds the two against
// each other.
func readStructured(raw []byte) (e cloudEvent, refused *refusal) {
	members, err := events.Members(raw)
	if err != nil {
		return e, refuse(codeMalformed, "the event "+err.Error())
	}
	var encoded json.RawMessage
	for _, m := range members {
		switch m.Name {
		case "data":
			e.data = notNull(m.Value)
		case "data_base64":
			encoded = notNull(m.Value)
		default:
			refused = e.set(m.Name, m.Value)
		}
		if refused != nil {
			return e, refused
		}
	}
	if encoded != nil {
		if refused := e.decodeData(encoded); refused != nil {
			return e, refused
		}
	}
	return e, e.check()
}

func notNull(raw json.RawMessage) json.RawMessage {
	if events.IsNull(raw) {
		return nil
	}
	return raw
}

// set takes one attribute. Null is the same as absent.
func (e *cloudEvent) set(name string, raw json.RawMessage) *refusal {
	if !validName(name) {
		return refuse(codeInvalid, "an attribute has a bad name").advise("use lower-case letters and digits")
	}
	if events.IsNull(raw) {
		return nil
	}
	to := e.attribute(name)
	switch {
	case raw[0] == '"' && to != nil:
		*to = text(raw)
	case raw[0] == '{' || raw[0] == '[', to != nil:
		return refuseField(name, "is no string", "")
	}
	return nil
}

// text decodes a string of a body that was found to be JSON in UTF-8.
func text(raw json.RawMessage) (s string) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	_ = json.Unmarshal(raw, &s)
	return s
}

func validName(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

func (e *cloudEvent) decodeData(raw json.RawMessage) *refusal {
	if e.data != nil {
		return refuse(codeInvalid, "data and data_base64 are both there").advise("send one of them")
	}
	if raw[0] != '"' {
		return refuseField("data_base64", "is no string", "")
	}
	data, err := base64.StdEncoding.DecodeString(text(raw))
	if err != nil {
		return refuseField("data_base64", "is no base64", "use the standard alphabet with padding")
	}
	e.data = data
	return nil
}

const headerPrefix = "Ce-"

// readBinary reads the form with attributes in headers, whose values are
// percent-encoded by the HTTP binding.
func readBinary(h http.Header, body []byte) (e cloudEvent, refused *refusal) {
	e.contentType = h.Get("Content-Type")
	if len(body) > 0 {
		e.data = body
	}
	for key, values := range h {
		name, ok := strings.CutPrefix(key, headerPrefix)
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		if !validName(name) || name == "datacontenttype" {
			return e, refuse(codeInvalid, "a ce- header has a bad name").advise("use letters and digits; the content type has its own header")
		}
		if len(values) > 1 {
			return e, refuseField(name, "is given twice", "")
		}
		if to := e.attribute(name); to != nil {
			*to = decodeHeader(values[0])
		}
	}
	return e, e.check()
}

// decodeHeader undoes percent-encoding. A stray % stands for itself, as the
// senders that do not encode mean it.
func decodeHeader(v string) string {
	if v = strings.TrimSpace(v); len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
		v = strings.ReplaceAll(strings.ReplaceAll(v[1:len(v)-1], `\"`, `"`), `\\`, `\`)
	}
	if s, err := url.PathUnescape(v); err == nil {
		return s
	}
	return v
}

// check applies the rules of CloudEvents 1.0 to the attributes.
func (e *cloudEvent) check() *refusal {
	if e.specVersion != events.SpecVersion {
		return refuseField("specversion", "is not 1.0", `Spoke reads CloudEvents "1.0"`)
	}
	for _, a := range []struct {
		name, value string
		must        bool
	}{
		{"id", e.id, true},
		{"source", e.source, true},
		{"type", e.typ, true},
		{"subject", e.subject, false},
		{"partitionkey", e.partitionKey, false},
	} {
		if a.value == "" && !a.must {
			continue
		}
		if strings.TrimSpace(a.value) == "" {
			return refuseField(a.name, "is missing", "")
		}
		if !events.ValidID(a.value) {
			return refuseField(a.name, "is too long or holds control characters", "use at most 255 bytes")
		}
	}
	if _, err := url.Parse(e.source); err != nil {
		return refuseField("source", "is no URI reference", "")
	}
	if u, err := url.Parse(e.dataSchema); e.dataSchema != "" && (err != nil || !u.IsAbs()) {
		return refuseField("dataschema", "is no absolute URI", "")
	}
	if _, err := time.Parse(time.RFC3339Nano, e.time); e.time != "" && err != nil {
		return refuseField("time", "is no time", `write RFC 3339, such as "2006-01-02T15:04:05Z"`)
	}
	return e.checkData()
}

func (e *cloudEvent) checkData() *refusal {
	if e.contentType != "" && e.contentType != "application/json" {
		media, _, err := mime.ParseMediaType(e.contentType)
		if err != nil {
			return refuseField("datacontenttype", "is no media type", "")
		}
		if media != "application/json" && media != "text/json" && !strings.HasSuffix(media, "+json") {
			p := refuseField("datacontenttype", "is not JSON", "Spoke reads application/json")
			p.code = codeMediaType
			return p
		}
	}
	if !utf8.Valid(e.data) {
		return refuse(codeMalformed, "the data is not UTF-8")
	}
	return nil
}
