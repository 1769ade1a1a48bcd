package feeder

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/config"
)

// Next is next, for its table.
func Next(t config.TimeOfDay, after time.Time) time.Time { return next(t, after) }

// DelayOf is delayOf, for its table.
func DelayOf(err error, tries int, jitter float64) time.Duration { return delayOf(err, tries, jitter) }

// Look measures the lag of every feed at a time.
func (f *Feeder) Look(ctx context.Context, at time.Time) {
	f.look(ctx, at, map[checkpoint.Key]time.Time{})
}
