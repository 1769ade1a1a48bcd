package receiver

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/spoke-sync/spoke/events"
)

// serveEvents takes CloudEvents of an upstream: one structured, one binary,
// or a batch, which is accepted whole or not at all.
func (r *Receiver) serveEvents(w http.ResponseWriter, call *request) *refusal {
	upstream, ok := r.keys.find(call.Header.Get("Authorization"))
	if !ok {
		p := refuse(codeUnauthorized, "the bearer token is missing or unknown")
		p.bearer = true
		return p
	}
	call.speaker = upstream
	mode, refused := modeOf(call.Header)
	if refused != nil {
		return refused
	}
	limit := r.config.MaxBody
	if mode == modeBatch {
		limit = r.config.MaxBatchBody
	}
	body, release, refused := r.read(w, call, limit)
	if refused != nil {
		return refused
	}
	defer release()
	said, refused := parse(mode, call.Header, body)
	if refused != nil {
		return refused
	}
	items := make([]item, len(said))
	for i := range said {
		items[i], refused = r.heard(upstream, &said[i])
		if refused != nil {
			return inBatch(mode, refused, i)
		}
	}
	t, refused := r.store.put(call.Context(), upstream, items)
	if refused != nil {
		return inBatch(mode, refused, refused.index)
	}
	call.answer = func(w http.ResponseWriter) { writeJSON(w, http.StatusOK, "application/json", t) }
	return nil
}

// inBatch tells which event is at fault, where there can be several.
func inBatch(m mode, p *refusal, index int) *refusal {
	if m != modeBatch {
		index = -1
	}
	return p.at(index)
}

// mode is the way events are written in a request.
type mode int

const (
	modeStructured mode = iota
	modeBinary
	modeBatch
)

func modeOf(h http.Header) (mode, *refusal) {
	contentType := h.Get("Content-Type")
	media, params, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		return 0, refuse(codeMediaType, "the content type is malformed")
	}
	if c := params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") {
		return 0, refuse(codeMediaType, "the charset is not UTF-8")
	}
	switch {
	case media == events.ContentType:
		return modeStructured, nil
	case media == events.BatchContentType:
		return modeBatch, nil
	case !strings.HasPrefix(media, "application/cloudevents") && h.Get(headerPrefix+"Specversion") != "":
		return modeBinary, nil
	}
	return 0, refuse(codeMediaType, "this is no CloudEvent in JSON").
		advise("post " + events.ContentType + ", " + events.BatchContentType + ", or JSON data with ce- headers")
}

// parse reads the events of a body.
func parse(m mode, h http.Header, body []byte) ([]cloudEvent, *refusal) {
	if m == modeBinary {
		e, refused := readBinary(h, body)
		return []cloudEvent{e}, refused
	}
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, refuse(codeMalformed, "the body is no JSON in UTF-8")
	}
	if m == modeStructured {
		e, refused := readStructured(body)
		return []cloudEvent{e}, refused
	}
	list, err := events.Elements(body)
	if err != nil {
		return nil, refuse(codeMalformed, "the body "+err.Error())
	}
	if len(list) > MaxEvents {
		return nil, refuse(codeTooLarge, "the batch has too many events").advise("send at most 1000 events at a time")
	}
	all := make([]cloudEvent, len(list))
	for i, raw := range list {
		e, refused := readStructured(raw)
		if refused != nil {
			return nil, refused.at(i)
		}
		all[i] = e
	}
	return all, nil
}
