package netsuite_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

func TestRefusedBeforeAnyWrite(t *testing.T) {
	t.Parallel()
	valid := order("77", "1", "2")
	line := func(changes map[string]any) []any {
		l := map[string]any{"item": "2", "quantity": json.Number("1")}
		for k, v := range changes {
			l[k] = v
		}
		return []any{l}
	}
	cases := map[string]struct {
		changes map[string]any
		kind    fault.Kind
		field   string
	}{
		"no customer":         {map[string]any{"entity": nil}, fault.Rejected, "entity"},
		"no lines":            {map[string]any{"item": nil}, fault.Rejected, "item"},
		"line without item":   {map[string]any{"item": line(map[string]any{"item": ""})}, fault.Rejected, "item[0].item"},
		"unknown field":       {map[string]any{"meno": "x"}, fault.Malformed, "meno"},
		"another's custom":    {map[string]any{"custentity_tier": "x"}, fault.Malformed, "custentity_tier"},
		"unknown line field":  {map[string]any{"item": line(map[string]any{"qty": "1"})}, fault.Malformed, "item[0].qty"},
		"number is a text":    {map[string]any{"item": line(map[string]any{"rate": "abc"})}, fault.Malformed, "item[0].rate"},
		"number is a float":   {map[string]any{"item": line(map[string]any{"rate": 1.5})}, fault.Malformed, "item[0].rate"},
		"reference is none":   {map[string]any{"entity": map[string]any{"$ref": "x"}}, fault.Malformed, "entity"},
		"text is a number":    {map[string]any{"memo": json.Number("1")}, fault.Malformed, "memo"},
		"lines are no list":   {map[string]any{"item": "2"}, fault.Malformed, "item"},
		"line is no object":   {map[string]any{"item": []any{"2"}}, fault.Malformed, "item[0]"},
		"currency is no text": {map[string]any{"currency": true}, fault.Malformed, "currency"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			doc := valid
			doc.Fields = with(doc, c.changes)
			f := fault.As(b.refuse(t, doc))
			require.Equal(t, c.kind, f.Kind, f)
			require.Equal(t, c.field, f.Field)
			require.NotEmpty(t, f.Hint)
			require.Zero(t, b.box.Counts().Calls["upsert salesOrder"])
		})
	}
}

func TestWireForm(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	b.apply(t, order("77", customerID, itemID))
	for _, r := range b.wire.requests() {
		if strings.Contains(r.URL.Path, "/record/") {
			require.Equal(t, "Error", r.Header.Get("X-NetSuite-PropertyNameValidation"), r.URL.Path)
		}
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "salesOrder") {
			continue
		}
		require.Equal(t, "item", r.URL.Query().Get("replace"))
		body, err := r.GetBody()
		require.NoError(t, err)
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.JSONEq(t, `{
			"entity": {"id": "`+customerID+`"}, "tranDate": "2026-11-20", "memo": "Deal 77", "currency": {"id": "2"},
			"orderStatus": "B", "custbody_source": "hub",
			"item": {"items": [
				{"item": {"id": "`+itemID+`"}, "quantity": 3, "rate": 19.90, "price": {"id": "-1"}, "description": "Widget"},
				{"item": {"id": "`+itemID+`"}, "quantity": 1, "rate": 100, "amount": 90.00, "price": {"id": "-1"}}
			]}}`, string(text))
		require.Contains(t, string(text), `"rate":19.90`, "amounts go out digit by digit")
	}
}
