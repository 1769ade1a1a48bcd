package events_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
)

func TestExternalKey(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		id, want string
		readable bool
	}{
		{"77", "spoke-deal-77", true},
		{"shop-A_1", "spoke-deal-shop-A_1", true},
		{"a.b", "spoke-deal--", false},
		{"-1", "spoke-deal--", false},
		{strings.Repeat("0", 60), "spoke-deal--", false},
	} {
		key := events.Key{Entity: events.EntityDeal, ID: tc.id}
		got := events.ExternalKey(key)
		require.True(t, strings.HasPrefix(got, tc.want), got)
		back, ours := events.RecordOf(got)
		require.True(t, ours)
		if tc.readable {
			require.Equal(t, key, back)
		} else {
			require.True(t, back.IsZero())
		}
	}
	for _, other := range []string{"", "HS-deal-77", "spoke-", "spoke-deal", "spoke-deal-", "spoke-thing-1", "spoke-deal-a b"} {
		_, ours := events.RecordOf(other)
		require.False(t, ours, other)
	}
}

func TestExternalKeyFitsAndNeverMixesUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringN(1, 80, 255).Draw(t, "id")
		key := events.Key{Entity: rapid.SampledFrom(events.Entities()).Draw(t, "entity"), ID: id}
		got := events.ExternalKey(key)
		if len(got) > 60 || strings.ContainsFunc(got, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			t.Fatalf("%q does not fit", got)
		}
		back, ours := events.RecordOf(got)
		if !ours || (!back.IsZero() && back != key) {
			t.Fatalf("%q came back as %v", got, back)
		}
	})
}
