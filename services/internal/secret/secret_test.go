package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/secret"
)

const text = "hunter2-hunter2"

func TestNeverPrinted(t *testing.T) {
	t.Parallel()
	v := secret.New(text)
	type settings struct {
		Key  secret.Value   `json:"key" yaml:"key"`
		Keys []secret.Value `json:"keys" yaml:"keys"`
	}
	s := settings{v, []secret.Value{v}}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", v, "settings", s)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", v, "settings", s)
	j, err := json.Marshal(s)
	require.NoError(t, err)
	y, err := yaml.Marshal(s)
	require.NoError(t, err)
	for _, out := range []string{
		fmt.Sprint(v), fmt.Sprintf("%v %+v %#v %s %q", v, s, s, v, v), fmt.Sprintf("%v", &s), log.String(), string(j), string(y),
	} {
		require.NotContains(t, out, text)
	}
	require.Equal(t, text, v.Reveal())
}

func TestUnmarshalText(t *testing.T) {
	t.Setenv("SECRET_TEST", text)
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(text+"\n"), 0o600))
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, good := range []string{"env:SECRET_TEST", "file:" + file, "literal:" + text} {
		var v secret.Value
		require.NoError(t, v.UnmarshalText([]byte(good)))
		require.Equal(t, text, v.Reveal(), good)
	}
	for bad, want := range map[string]string{
		text:                    "env:NAME, file:/path or literal:text",
		"env:SECRET_TEST_UNSET": "SECRET_TEST_UNSET is not set",
		"file:/nowhere/at/all":  "no such file",
		"file:" + empty:         "is empty",
		"vault:somewhere":       "env:NAME, file:/path or literal:text",
	} {
		var v secret.Value
		err := v.UnmarshalText([]byte(bad))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), text)
		require.True(t, v.IsZero())
	}
}
