package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/secret"
)

// TestHiddenInUnexportedFields: printing reaches into structs, and calls no
// methods on what is not exported there.
func TestHiddenInUnexportedFields(t *testing.T) {
	t.Parallel()
	type client struct {
		key  secret.Value
		keys map[string]secret.Value
		next *client
	}
	v := secret.New(text)
	c := client{key: v, keys: map[string]secret.Value{"a": v}, next: &client{key: v}}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "client", c, "pointer", &c, "group", slog.GroupValue(slog.Any("key", v)))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "client", c, "pointer", &c)
	require.NotContains(t, log.String(), text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%T", "%p"} {
		for _, x := range []any{v, &v, c, &c, []secret.Value{v}, [1]client{c}, errors.Join(fmt.Errorf("%v", v))} {
			out := fmt.Sprintf(verb, x)
			require.NotContains(t, out, text, "%s of %T", verb, x)
			require.NotContains(t, out, fmt.Sprintf("%x", text), "%s of %T", verb, x)
			require.NotContains(t, out, fmt.Sprintf("%X", text), "%s of %T", verb, x)
		}
	}
}

func TestZero(t *testing.T) {
	t.Parallel()
	var v secret.Value
	require.True(t, v.IsZero())
	require.Empty(t, v.Reveal())
	require.Empty(t, v.String())
	require.True(t, secret.New("").IsZero())
	require.False(t, secret.New("x").IsZero())
}

func FuzzUnmarshalText(f *testing.F) {
	for _, s := range []string{"", "x", "env:", "env:HOME", "file:", "literal:", "literal:x", ":", "env\x00:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.HasPrefix(s, "file:") {
			return // it would read whatever is there
		}
		var v secret.Value
		if err := v.UnmarshalText([]byte(s)); err != nil && !v.IsZero() {
			t.Fatal("a value besides an error")
		}
		if out := fmt.Sprintf("%v %+v %#v", v, v, v); !v.IsZero() && len(v.Reveal()) > len("[secret]") && bytes.Contains([]byte(out), []byte(v.Reveal())) {
			t.Fatal("printed")
		}
	})
}
