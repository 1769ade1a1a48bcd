package receiver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/ingest/receiver"
)

func TestEventRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config, _ *receiver.Deps) { c.MaxBody, c.MaxBatchBody = 2<<10, 1<<20 })
	get := postEvents(structured, order())
	get.Method = http.MethodGet
	const typeHint = "write com.<system>.<entity>.<changed|deleted|restored>.v1 with one of the entities company, contact, credit_note, deal, dispute, invoice, order, payment, product, quote, refund, subscription"
	for name, tc := range map[string]struct {
		req    *http.Request
		status int
		code   string
		field  string
		detail string
		hint   string
	}{
		"no token":       {postEvents(structured, order(), "Authorization", ""), 401, "unauthorized", "", "the bearer token is missing or unknown", ""},
		"wrong token":    {postEvents(structured, order(), "Authorization", "Bearer x"), 401, "unauthorized", "", "the bearer token is missing or unknown", ""},
		"other scheme":   {postEvents(structured, order(), "Authorization", "Basic "+token), 401, "unauthorized", "", "the bearer token is missing or unknown", ""},
		"token is empty": {postEvents(structured, order(), "Authorization", "Bearer "), 401, "unauthorized", "", "the bearer token is missing or unknown", ""},
		"get":            {get, 405, "method_not_allowed", "", "use POST", ""},
		"too large":      {postEvents(structured, order("A-7", strings.Repeat("x", 2<<10))), 413, "too_large", "", "the body is too large", "send at most 2 KiB"},
		"large batch":    {postEvents(batch, "["+strings.Repeat(" ", 1<<20)+"]"), 413, "too_large", "", "the body is too large", "send at most 1 MiB"},
		"plain json":     {postEvents("application/json", order()), 415, "unsupported_media_type", "", "this is no CloudEvent in JSON", "post application/cloudevents+json, application/cloudevents-batch+json, or JSON data with ce- headers"},
		"avro":           {postEvents("application/cloudevents+avro", order(), "ce-specversion", "1.0"), 415, "unsupported_media_type", "", "this is no CloudEvent in JSON", "post application/cloudevents+json, application/cloudevents-batch+json, or JSON data with ce- headers"},
		"bad media type": {postEvents("application/;", order()), 415, "unsupported_media_type", "", "the content type is malformed", ""},
		"latin 1":        {postEvents(structured+"; charset=iso-8859-1", order()), 415, "unsupported_media_type", "", "the charset is not UTF-8", ""},
		"compressed":     {postEvents(structured, order(), "Content-Encoding", "br"), 415, "unsupported_media_type", "", "the body is compressed", "send it without Content-Encoding"},
		"xml data":       {postEvents(structured, order("application/json", "application/xml")), 415, "unsupported_media_type", "datacontenttype", "datacontenttype is not JSON", "Spoke reads application/json"},
		"xml body":       {postEvents("application/xml", "<a/>", "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/", "ce-type", "x"), 415, "unsupported_media_type", "datacontenttype", "datacontenttype is not JSON", "Spoke reads application/json"},
		"no json":        {postEvents(structured, order()+"x"), 400, "malformed", "", "the body is no JSON in UTF-8", ""},
		"not utf-8":      {postEvents(structured, order("A-7", "A\xff")), 400, "malformed", "", "the body is no JSON in UTF-8", ""},
		"empty":          {postEvents(structured, ""), 400, "malformed", "", "the body is no JSON in UTF-8", ""},
		"list":           {postEvents(structured, "["+order()+"]"), 400, "malformed", "", "the event is no JSON object", ""},
		"batch no list":  {postEvents(batch, order()), 400, "malformed", "", "the body is no JSON list", ""},
		"id twice":       {postEvents(structured, order(`"id":"e1"`, `"id":"e1","id":"e2"`)), 400, "malformed", "", "the event gives id twice", ""},
		"version":        {postEvents(structured, order(`"1.0"`, `"0.3"`)), 400, "invalid", "specversion", "specversion is not 1.0", `Spoke reads CloudEvents "1.0"`},
		"no version":     {postEvents(structured, order(`"specversion":"1.0",`, "")), 400, "invalid", "specversion", "specversion is not 1.0", `Spoke reads CloudEvents "1.0"`},
		"no id":          {postEvents(structured, order(`"id":"e1",`, "")), 400, "invalid", "id", "id is missing", ""},
		"blank id":       {postEvents(structured, order(`"e1"`, `" "`)), 400, "invalid", "id", "id is missing", ""},
		"id a number":    {postEvents(structured, order(`"e1"`, `1`)), 400, "invalid", "id", "id is no string", ""},
		"long id":        {postEvents(structured, order(`"e1"`, `"`+strings.Repeat("x", 256)+`"`)), 400, "invalid", "id", "id is too long or holds control characters", "use at most 255 bytes"},
		"id splits":      {postEvents(structured, order(`"e1"`, `"a\r\nNats-Msg-Id: b"`)), 400, "invalid", "id", "id is too long or holds control characters", "use at most 255 bytes"},
		"no source":      {postEvents(structured, order(`https://shop.example/orders`, ``)), 400, "invalid", "source", "source is missing", ""},
		"bad source":     {postEvents(structured, order(`https://shop.example/orders`, `http://a b/%zz`)), 400, "invalid", "source", "source is no URI reference", ""},
		"bad schema":     {postEvents(structured, order(`"specversion"`, `"dataschema":"a/b","specversion"`)), 400, "invalid", "dataschema", "dataschema is no absolute URI", ""},
		"bad time":       {postEvents(structured, order(`2026-11-23T12:30:00+01:00`, `yesterday`)), 400, "invalid", "time", "time is no time", `write RFC 3339, such as "2006-01-02T15:04:05Z"`},
		"early time":     {postEvents(structured, order(`2026-11-23T12:30:00+01:00`, `0000-01-01T00:00:00+23:00`)), 400, "invalid", "time", "time is before 1970", ""},
		"no type":        {postEvents(structured, order(`"type":"com.shop.order.changed.v1",`, ``)), 400, "invalid", "type", "type is missing", ""},
		"foreign type":   {postEvents(structured, order(`com.shop.order.changed.v1`, `org.shop.order.placed`)), 400, "invalid", "type", "type has another form", typeHint},
		"odd system":     {postEvents(structured, order(`com.shop.`, `com.sh op.`)), 400, "invalid", "type", "type has another form", typeHint},
		"no system":      {postEvents(structured, order(`com.shop.`, `com..`)), 400, "invalid", "type", "type has another form", typeHint},
		"unknown entity": {postEvents(structured, order(`shop.order.`, `shop.cart.`)), 400, "invalid", "type", "type names no entity", typeHint},
		"outcome":        {postEvents(structured, order(`order.changed`, `order.written`)), 400, "invalid", "type", "type says nothing that can happen to an object", typeHint},
		"no subject":     {postEvents(structured, order(`"subject":"order/A-7",`, ``)), 400, "invalid", "subject", "subject names no object", `write "<id>" or "<entity>/<id>"`},
		"empty subject":  {postEvents(structured, order(`order/A-7`, `order/`)), 400, "invalid", "subject", "subject names no object", `write "<id>" or "<entity>/<id>"`},
		"other subject":  {postEvents(structured, order(`order/A-7`, `invoice/A-7`)), 400, "invalid", "subject", "subject names another entity than the type", `write "<id>" or "<entity>/<id>"`},
		"no data":        {postEvents(structured, `{"specversion":"1.0","id":"1","source":"/s","type":"com.shop.order.changed.v1","subject":"7"}`), 400, "invalid", "data", "data is missing", "send the fields of the order that have changed"},
		"null data":      {postEvents(structured, `{"specversion":"1.0","id":"1","source":"/s","type":"com.shop.order.changed.v1","subject":"7","data":null}`), 400, "invalid", "data", "data is missing", "send the fields of the order that have changed"},
		"text data":      {postEvents(structured, `{"specversion":"1.0","id":"1","source":"/s","type":"com.shop.order.changed.v1","subject":"7","data":"{}"}`), 400, "invalid", "data", "data is no JSON object", ""},
		"both data":      {postEvents(structured, order(`"data":`, `"data_base64":"e30=","data":`)), 400, "invalid", "", "data and data_base64 are both there", "send one of them"},
		"base64 number":  {postEvents(structured, order(`"data":`, `"data_base64":1,"x":"","data":null,"y":`, `{"number":"A-7","total":{"amount":12.30,"currency":"eur"},"custom":{"channel":"web"}}`, `1`)), 400, "invalid", "data_base64", "data_base64 is no string", ""},
		"bad base64":     {postEvents(structured, order(`"data":`, `"data_base64":"e30","x":"","data":null,"y":`, `{"number":"A-7","total":{"amount":12.30,"currency":"eur"},"custom":{"channel":"web"}}`, `1`)), 400, "invalid", "data_base64", "data_base64 is no base64", "use the standard alphabet with padding"},
		"name of ext":    {postEvents(structured, order(`"specversion"`, `"my-ext":"x","specversion"`)), 400, "invalid", "", "an attribute has a bad name", "use lower-case letters and digits"},
		"object as ext":  {postEvents(structured, order(`"specversion"`, `"myext":{},"specversion"`)), 400, "invalid", "myext", "myext is no string", ""},
		"header twice":   {twice(postEvents("application/json", "{}", "ce-specversion", "1.0", "ce-id", "1"), "Ce-Id"), 400, "invalid", "id", "id is given twice", ""},
		"bad header":     {postEvents("application/json", "{}", "ce-specversion", "1.0", "ce-da_ta", "1"), 400, "invalid", "", "a ce- header has a bad name", "use letters and digits; the content type has its own header"},
		"binary no json": {postEvents("application/json", "{", "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/", "ce-type", "com.shop.order.changed.v1", "ce-subject", "7"), 400, "invalid", "data", "data is no JSON object", ""},
		"binary latin 1": {postEvents("application/json", "{\"number\":\"\xff\"}", "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/", "ce-type", "com.shop.order.changed.v1", "ce-subject", "7"), 400, "malformed", "", "the data is not UTF-8", ""},
		"unknown field":  {postEvents(structured, order(`"number"`, `"numbr"`)), 400, "invalid", "data.numbr", "data.numbr is no field of order", `did you mean number? Anything else belongs under "custom"`},
		"bare money":     {postEvents(structured, order(`{"amount":12.30,"currency":"eur"}`, `12.30`)), 400, "invalid", "data.total", "data.total is no amount of money", `write {"amount": "12.30", "currency": "EUR"}`},
	} {
		t.Run(name, func(t *testing.T) {
			resp, p := b.call(tc.req)
			require.Equal(t, tc.status, resp.StatusCode, p.Detail)
			require.Equal(t, [4]string{tc.code, tc.field, tc.detail, tc.hint}, [4]string{p.Code, p.Field, p.Detail, p.Hint})
			require.Nil(t, p.Index)
			require.Equal(t, tc.status == 401, resp.Header.Get("WWW-Authenticate") == `Bearer realm="spoke"`)
			require.Zero(t, b.count(), "a refused request leaves nothing behind")
		})
	}
	require.Equal(t, 4, b.metric("spoke_ingest_requests_total", "connection", "unknown", "code", "unauthorized"))
	require.Zero(t, b.metric("spoke_ingest_events_total"))
}

func twice(req *http.Request, header string) *http.Request {
	req.Header.Add(header, "2")
	return req
}

func TestBatchNamesTheFirstBadEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, bad := range map[string]string{
		"envelope": order(`"e1"`, `""`), "no object": `7`, "type": order("shop.order", "shop.cart"), "data": order(`"number":"A-7"`, `"number":7`),
	} {
		resp, p := b.call(postEvents(batch, "["+order()+","+order(`"e1"`, `"e2"`)+","+bad+","+bad+"]"))
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, name)
		require.NotNil(t, p.Index, name)
		require.Equal(t, 2, *p.Index, name)
		require.Zero(t, b.count(), name)
	}
	resp, p := b.call(postEvents(batch, "["+strings.Repeat(order()+",", receiver.MaxEvents)+order()+"]"))
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.Equal(t, "send at most 1000 events at a time", p.Hint)
	require.Zero(t, b.count())
}

// A publisher learns of all its slips at once.
func TestEveryFieldProblemIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, p := b.call(postEvents(structured, order(`"number":"A-7"`, `"number":7,"placedOn":"soon","lines":[{"price":{"amount":1}}]`)))
	got := make([][2]string, len(p.Errors))
	for i, e := range p.Errors {
		got[i] = [2]string{e.Field, e.Detail}
		require.NotEmpty(t, e.Hint)
	}
	require.Equal(t, [][2]string{
		{"data.number", "is no string"}, {"data.placedOn", "is no date"}, {"data.lines[0].price.currency", "is missing"},
	}, got)
}
