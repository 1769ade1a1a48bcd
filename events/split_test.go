package events_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	got, err := events.Members([]byte(" { \"a\" : 1 ,\n\"b\\u0022\\\\\":{\"x\":[\"}]\",{}]},\"c\":\"\\\\\\\"}\",\"\":null} "))
	require.NoError(t, err)
	want := [][2]string{{"a", "1"}, {"b\"\\", `{"x":["}]",{}]}`}, {"c", `"\\\"}"`}, {"", "null"}}
	require.Len(t, got, len(want))
	for i, m := range got {
		require.Equal(t, want[i][0], m.Name)
		require.Equal(t, want[i][1], string(m.Value))
	}
	for in, reason := range map[string]string{
		`{"a":1,"b":2,"\u0061":3}`: "gives a twice",
		`[1]`:                      "is no JSON object",
		`null`:                     "is no JSON object",
		``:                         "is no JSON object",
	} {
		_, err := events.Members([]byte(in))
		require.EqualError(t, err, reason)
	}
}

func TestMembersManyNames(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 40 {
		b.WriteString(`,"` + strings.Repeat("n", i) + `":1`)
	}
	_, err := events.Members([]byte("{" + b.String()[1:] + "}"))
	require.NoError(t, err)
	_, err = events.Members([]byte("{" + b.String()[1:] + `,"":2}`))
	require.EqualError(t, err, `gives "" twice`)
}

func TestElements(t *testing.T) {
	t.Parallel()
	got, err := events.Elements([]byte(` [ 1, [2,"]"] ,{"a":[]}, "x" ] `))
	require.NoError(t, err)
	require.Equal(t, []json.RawMessage{[]byte("1"), []byte(`[2,"]"]`), []byte(`{"a":[]}`), []byte(`"x"`)}, got)
	got, err = events.Elements([]byte("[]"))
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = events.Elements([]byte("{}"))
	require.EqualError(t, err, "is no JSON list")
}

// FuzzMembers compares with encoding/json on valid input; on any other input
// it must not panic or loop.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":{"c":[1,2,{"d":"}"}]}}`, `["\\",{"\"":null}, -1.5e+3 ,true]`, `{"a":1,"a":2}`,
		`{"a`, `{"a":`, `{"a":1`, `[`, `[1,`, `{,}`, `{"a":}`, `{"\`, "\"\\\"", `{"a" 1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		members, memberErr := events.Members(raw)
		items, itemErr := events.Elements(raw)
		if !json.Valid(raw) {
			return
		}
		var list []json.RawMessage
		if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) && json.Unmarshal(raw, &list) == nil {
			require.NoError(t, itemErr)
			require.Len(t, items, len(list))
			for i := range list {
				require.Equal(t, string(list[i]), string(items[i]))
			}
		} else {
			require.Error(t, itemErr)
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil || object == nil {
			require.Error(t, memberErr)
			return
		}
		if memberErr != nil { // only a name given twice can be at fault
			require.ErrorContains(t, memberErr, "twice")
			require.Greater(t, countNames(raw), len(object))
			return
		}
		require.Len(t, members, len(object))
		for _, m := range members {
			require.Equal(t, string(object[m.Name]), string(m.Value))
		}
	})
}

// countNames counts the names of the outermost object.
func countNames(raw []byte) int {
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, err := dec.Token()
	n := 0
	for err == nil && dec.More() {
		if _, err = dec.Token(); err == nil {
			var skip json.RawMessage
			err = dec.Decode(&skip)
			n++
		}
	}
	return n
}

func TestCanonicalObject(t *testing.T) {
	t.Parallel()
	got, err := events.CanonicalObject(events.EntityDeal, []byte(` {"name":"x", "won" : true} `))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": `"x"`, "won": "true"}, asText(got))
	for in, want := range map[string]string{
		`{"name":"x"`:           "the object: is no JSON object",
		`[]`:                    "the object: is no JSON object",
		`null`:                  "the object: is no JSON object",
		`{"name":1,"name":2}`:   "the object: gives name twice",
		`{"name":1,"won":null}`: "name: is no string; write it in quotes, or null to clear it",
		`{"amount":{"amount":1,"amount":2,"currency":"EUR"}}`: `amount: gives amount twice; write {"amount": "12.30", "currency": "EUR"}`,
		`{"custom":{"a":1,"a":1}}`:                            `custom: gives a twice; write {"name": value}; a custom field is cleared by its name: {"name": null}`,
	} {
		_, err := events.CanonicalObject(events.EntityDeal, []byte(in))
		require.EqualError(t, err, want)
		var field *events.FieldError
		require.ErrorAs(t, err, &field)
	}
}
