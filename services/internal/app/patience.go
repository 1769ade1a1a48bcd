package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/spoke-sync/spoke/services/internal/bus"
)

// startLimit bounds the wait for a server to come back, or for a cluster to
// have leaders.
const startLimit = time.Minute

// patiently repeats a step of the start while the server does not answer, for at
// most startLimit: it may be restarting as well. An answer that went down with a
// connection never comes, so each try has a limit of its own.
func patiently(ctx context.Context, log *slog.Logger, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := bus.Admin(ctx, step)
		if err == nil || ctx.Err() != nil {
			return err
		}
		log.Warn("start: trying again", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// opened is what open returns, which patiently repeats.
func opened[T any](ctx context.Context, log *slog.Logger, open func(context.Context) (T, error)) (t T, err error) {
	err = patiently(ctx, log, func(ctx context.Context) error {
		t, err = open(ctx)
		return err
	})
	return t, err
}
