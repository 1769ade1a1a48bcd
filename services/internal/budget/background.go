package budget

import "context"

type backgroundKey struct{}

// Background marks the calls made with the returned context as ones that can
// wait, such as those of a backfill: they use a part of the connection's budget
// at most (connector.Limits.Background), and others go first.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// IsBackground reports whether ctx was made by Background.
func IsBackground(ctx context.Context) bool {
	marked, _ := ctx.Value(backgroundKey{}).(bool)
	return marked
}
