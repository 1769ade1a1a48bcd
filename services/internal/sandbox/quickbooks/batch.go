package quickbooksbox

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// The limits of a batch.
const (
	maxItems        = 30
	maxBatchRequest = 36
	maxItemID       = 10
)

// serveBatch does several things in one call. Each has its own answer or its
// own Fault. With a request id, an item is told by that and its own id.
func (b *Box) serveBatch(w http.ResponseWriter, r *http.Request) {
	raw, err := readBody(r)
	var in struct {
		Items []object `json:"BatchItemRequest"`
	}
	if err != nil || decode(raw, &in) != nil || len(in.Items) == 0 {
		writeProblem(w, missingParam("BatchItemRequest"))
		return
	}
	request := r.URL.Query().Get("requestid")
	if len(in.Items) > maxItems || len(request) > maxBatchRequest {
		writeProblem(w, invalid("1040", "Batch size exceeded", "at most 30 items and 36 characters of requestid", ""))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	answers := make([]json.RawMessage, 0, len(in.Items))
	for _, item := range in.Items {
		id := item.text("bId")
		if id == "" || seen[id] || request != "" && len(id) > maxItemID {
			writeProblem(w, invalid("2010", "Request has invalid or unsupported property", "bId is missing, too long or not unique", "bId"))
			return
		}
		seen[id] = true
		answers = append(answers, b.item(item, id, request))
	}
	b.save()
	sandbox.JSON(w, http.StatusOK, map[string]any{"BatchItemResponse": answers, "time": b.opts.Now().Format(timeLayout)})
}

// item does one of them.
func (b *Box) item(in object, id, request string) json.RawMessage {
	key := "batch " + request + " " + id
	if answer, ok := b.state.Requests[key]; ok && request != "" {
		return answer
	}
	b.Call("batch.item")
	answer := map[string]any{"bId": id}
	name, o, p := b.itemResult(in)
	if p != nil {
		f := faultOf(p.code, p.message, p.detail, p.element)
		f.Fault.Type = p.typ
		answer["Fault"] = f.Fault
	} else {
		answer[name] = o
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return nil
	}
	if p == nil && request != "" {
		b.state.Requests[key] = encoded
	}
	return encoded
}

func (b *Box) itemResult(in object) (string, any, *problem) {
	if text := in.text("Query"); text != "" {
		q, err := parseQuery(text)
		if err == nil {
			err = q.check()
		}
		if err != nil {
			return "", nil, invalid("4001", "Invalid query", "QueryValidationError: "+err.Error(), "")
		}
		return "QueryResponse", b.answer(q), nil
	}
	operation, options := in.text("operation"), in.text("optionsData")
	for _, e := range entities() {
		o := in.inside(e.name)
		if o == nil {
			continue
		}
		_, hasID := o["Id"]
		switch {
		case operation != "create" && operation != "update" && operation != "delete" && operation != "void":
			return "", nil, invalid("2170", "Invalid Enumeration", "Invalid Enumeration : "+operation, "operation")
		case operation == "create" == hasID:
			return "", nil, missingParam("Id")
		}
		include := strings.TrimPrefix(options, "include=")
		if operation == "create" || operation == "update" && include != "void" {
			operation = ""
		}
		done, p := b.write(e, operation, include, o)
		return e.name, done, p
	}
	return "", nil, missingParam("BatchItemRequest")
}
