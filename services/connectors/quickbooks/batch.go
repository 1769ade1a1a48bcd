package quickbooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// The limits of a batch: its items, and the characters of its request id,
// which are fewer than those of a call for one object.
const (
	maxBatch          = 30
	maxBatchRequestID = 36

	// leastBatch is from how many writes on a batch is quicker than single calls:
	// a company may have that many of those in the time of one batch.
	leastBatch = 13 // perSecond / batchesPerSecond
)

// batchRequest is what POST /batch takes.
type batchRequest struct {
	Items []map[string]any `json:"BatchItemRequest"`
}

// batch makes several writes in one call. Each has its own answer.
func (c *client) batch(ctx context.Context, steps []*step) []answer {
	r := rest.Request{Op: "batch", Method: http.MethodPost, Path: "/batch", Query: url.Values{}, Safe: true}
	r.Header = http.Header{"Content-Type": {"application/json"}}
	in := batchRequest{Items: make([]map[string]any, len(steps))}
	sum := sha256.New()
	for i, s := range steps {
		operation := s.write.operation
		if operation == "" {
			operation = "update"
			if s.write.body.text("Id") == "" {
				operation, r.Safe = "create", false
			}
		}
		in.Items[i] = map[string]any{"bId": itemID(i), "operation": operation, s.kind.name: s.write.body}
		if s.write.include != "" {
			in.Items[i]["optionsData"] = "include=" + s.write.include
		}
		sum.Write([]byte(s.write.requestID + "\x00"))
	}
	r.Query.Set("requestid", hex.EncodeToString(sum.Sum(nil))[:maxBatchRequestID])
	answers := make([]answer, len(steps))
	fail := func(err error) []answer {
		for i := range answers {
			answers[i].err = err
		}
		return answers
	}
	var err error
	if r.Body, err = json.Marshal(in); err != nil {
		return fail(fault.New(fault.Internal, Name+": batch", "%w", err))
	}
	got, resp, err := c.do(ctx, r)
	if err != nil {
		return fail(err)
	}
	byID := map[string]body{}
	for _, item := range got.list("BatchItemResponse") {
		byID[item.text("bId")] = item
	}
	for i, s := range steps {
		one := r
		one.Op = Name + ": " + s.write.op
		answers[i].body, answers[i].err = c.item(one, resp, s.kind, byID[itemID(i)])
	}
	return answers
}

func itemID(i int) string { return strconv.Itoa(i + 1) }

// item reads the answer to one write of a batch.
func (c *client) item(r rest.Request, resp *rest.Response, k *kind, item body) (body, error) {
	if item == nil {
		return nil, unreadable(r)
	}
	var f faultBody
	if raw, err := json.Marshal(item); err == nil && json.Unmarshal(raw, &f) == nil && f.Fault != nil {
		return nil, f.judge(r, resp, c.connection)
	}
	b := item.inside(k.name)
	if b.text("Id") == "" {
		return nil, unreadable(r)
	}
	return b, nil
}
