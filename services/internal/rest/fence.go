package rest

import "context"

type fenceKey struct{}

// WithFence makes calls with the returned context ask f before they go out: for
// callers that may lose the right to make them while they wait. An error of f
// means that the call is not made.
func WithFence(ctx context.Context, f func() error) context.Context {
	return context.WithValue(ctx, fenceKey{}, f)
}

// Fenced returns why no call may go out with a context, or nil.
func Fenced(ctx context.Context) error {
	if f, ok := ctx.Value(fenceKey{}).(func() error); ok {
		return f()
	}
	return nil
}
