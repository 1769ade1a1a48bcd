package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/bus"
)

// TestAnswerThatNeverComes: the server goes away while it is asked. The next try
// asks again, instead of waiting for an answer that was lost.
func TestAnswerThatNeverComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		got, err := opened(t.Context(), slog.New(slog.DiscardHandler), func(ctx context.Context) (string, error) {
			if tries++; tries == 1 {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "open", ctx.Err()
		})
		require.NoError(t, err)
		require.Equal(t, "open", got)
		require.Equal(t, bus.AdminLimit+time.Second, time.Since(start))
	})
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("no server")
		start := time.Now()
		err := patiently(t.Context(), slog.New(slog.DiscardHandler), func(context.Context) error { return down })
		require.ErrorIs(t, err, down)
		require.Equal(t, startLimit, time.Since(start))
	})
}
