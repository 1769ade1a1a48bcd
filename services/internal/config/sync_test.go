package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/config"
)

func TestParseMode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Mode{
		"realtime":      {},
		"off":           {Off: true},
		"every 5m":      {Every: 5 * time.Minute},
		"nightly 02:30": {Nightly: &config.TimeOfDay{Hour: 2, Minute: 30, Zone: time.UTC}},
	} {
		got, err := config.ParseMode(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	got, err := config.ParseMode("nightly 23:05 Europe/Berlin")
	require.NoError(t, err)
	require.Equal(t, "Europe/Berlin", got.Nightly.Zone.String())
	for text, want := range map[string]string{
		"":                        "want realtime",
		"sometimes":               "want realtime",
		"realtime now":            "want realtime",
		"every":                   "want a duration",
		"every 1s":                "want a duration from 10s",
		"every 48h":               "want a duration",
		"nightly":                 "want a time of day",
		"nightly 25:00":           "want a time of day",
		"nightly 02:00 Mars/Base": "is no time zone",
	} {
		_, err := config.ParseMode(text)
		require.ErrorContains(t, err, want, text)
	}
}
