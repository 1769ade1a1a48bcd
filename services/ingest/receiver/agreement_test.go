package receiver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/stretchr/testify/require"
)

// Events are decoded without the CloudEvents SDK. This holds the two against
// each other: where they differ the reason is given, and nowhere else may
// they.
func TestAgreesWithTheSDK(t *testing.T) {
	t.Parallel()
	const stricter, knowsMore = "Spoke is stricter", "Spoke knows more"
	b := setup(t)
	for name, tc := range map[string]struct {
		in      string
		differs string
	}{
		"plain":                     {in: order()},
		"null extension":            {in: order(`"specversion"`, `"x":null,"specversion"`)},
		"null time":                 {in: order(`"2026-11-23T12:30:00+01:00"`, `null`)},
		"empty time":                {in: order(`2026-11-23T12:30:00+01:00`, ``)},
		"fraction of a second":      {in: order(`12:30:00+`, `12:30:00.123456789+`)},
		"time without zone":         {in: order(`+01:00`, ``)},
		"date only":                 {in: order(`T12:30:00+01:00`, ``)},
		"time a number":             {in: order(`"2026-11-23T12:30:00+01:00"`, `1`)},
		"no specversion":            {in: order(`"specversion":"1.0",`, ``)},
		"unknown specversion":       {in: order(`"1.0"`, `"1.1"`)},
		"specversion a number":      {in: order(`"1.0"`, `1.0`)},
		"empty id":                  {in: order(`"e1"`, `""`)},
		"blank id":                  {in: order(`"e1"`, `" "`)},
		"null id":                   {in: order(`"e1"`, `null`)},
		"id a number":               {in: order(`"e1"`, `1`)},
		"id an object":              {in: order(`"e1"`, `{}`)},
		"escaped id":                {in: order(`"e1"`, `"\u0065\u00fc\ud83d\ude00"`)},
		"no source":                 {in: order(`"source":"https://shop.example/orders",`, ``)},
		"empty source":              {in: order(`https://shop.example/orders`, ``)},
		"relative source":           {in: order(`https://shop.example/orders`, `orders`)},
		"urn as source":             {in: order(`https://shop.example/orders`, `urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66`)},
		"bad source":                {in: order(`https://shop.example/orders`, `http://a b`)},
		"bad escape in source":      {in: order(`https://shop.example/orders`, `/%zz`)},
		"no type":                   {in: order(`"type":"com.shop.order.changed.v1",`, ``)},
		"blank subject":             {in: order(`"order/A-7"`, `"  "`)},
		"content type":              {in: order(`application/json`, `application/json; charset=utf-8`)},
		"bad content type":          {in: order(`application/json`, `a/b/c;`)},
		"data base64":               {in: order(`"data":`, `"data_base64":"e30=","x":"","y":`, `{"number":"A-7","total":{"amount":12.30,"currency":"eur"},"custom":{"channel":"web"}}`, `1`)},
		"data base64 broken":        {in: order(`"data":`, `"data_base64":"e3=","x":"","y":`, `{"number":"A-7","total":{"amount":12.30,"currency":"eur"},"custom":{"channel":"web"}}`, `1`)},
		"data base64 a number":      {in: `{"data_base64":1,"specversion":"1.0","id":"1","source":"/s","type":"com.shop.order.deleted.v1","subject":"7"}`},
		"absolute dataschema":       {in: order(`"specversion"`, `"dataschema":"https://a/b","specversion"`)},
		"relative dataschema":       {in: order(`"specversion"`, `"dataschema":"a/b","specversion"`)},
		"extension with _":          {in: order(`"specversion"`, `"a_b":"x","specversion"`)},
		"extension a list":          {in: order(`"specversion"`, `"x":[1],"specversion"`)},
		"extension an object":       {in: order(`"specversion"`, `"x":{"a":1},"specversion"`)},
		"extension a bool":          {in: order(`"specversion"`, `"x":true,"specversion"`)},
		"extension an int":          {in: order(`"specversion"`, `"x":-7,"specversion"`)},
		"long extension name":       {in: order(`"specversion"`, `"abcdefghijklmnopqrstuvwxyz0123456789":"x","specversion"`)},
		"attribute written in caps": {in: order(`"id"`, `"ID"`)},
		"cut off":                   {in: order()[:120]},
		"no object":                 {in: `[]`},
		"null":                      {in: `null`},
		"text":                      {in: `"x"`},

		"text behind":              {order() + "x", stricter + ": the SDK stops reading at the event's end"},
		"id twice":                 {order(`"id":"e1"`, `"id":"e1","id":"e2"`), stricter + ": the last one would win"},
		"extension in caps":        {order(`"specversion"`, `"Myext":"x","specversion"`), stricter + ": the specification wants lower case"},
		"id with a newline":        {order(`"e1"`, `"a\nb"`), stricter + ": the specification rules control characters out"},
		"data and base64":          {order(`"data":`, `"data_base64":"e30=","data":`), stricter + ": the specification wants one of them"},
		"unparsable dataschema":    {order(`"specversion"`, `"dataschema":"%zz","specversion"`), stricter + ": the SDK drops it"},
		"json with another name":   {order(`application/json`, `application/vnd.shop+json`), knowsMore + ": the specification takes +json for JSON"},
		"extension beyond 32 bits": {order(`"specversion"`, `"x":3000000000,"specversion"`), knowsMore + ": it is left out unread"},
	} {
		resp, p := b.call(postEvents(structured, tc.in))
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusUnsupportedMediaType}, resp.StatusCode)
		ours := resp.StatusCode == http.StatusOK
		sdk := acceptedBySDK(tc.in)
		if tc.differs == "" {
			require.Equal(t, sdk == nil, ours, "%s: SDK: %v, Spoke: %s", name, sdk, p.Detail)
		} else {
			require.NotEqual(t, sdk == nil, ours, "%s: they agree by now: SDK: %v, Spoke: %s", name, sdk, p.Detail)
		}
	}
}

func acceptedBySDK(in string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	var e cloudevents.Event
	if err := e.UnmarshalJSON([]byte(in)); err != nil {
		return err
	}
	if err := e.Validate(); err != nil {
		return err
	}
	if len(e.Data()) > 0 && !json.Valid(e.Data()) {
		return fmt.Errorf("data is no JSON")
	}
	return nil
}
