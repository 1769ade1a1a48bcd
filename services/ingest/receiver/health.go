package receiver

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// readyTimeout bounds the question whether the store answers.
const readyTimeout = 2 * time.Second

// BusReady reports whether the EVENTS stream answers, for Deps.Ready.
func BusReady(b *bus.Bus) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := b.JetStream().Stream(ctx, events.StreamEvents); err != nil {
			return fmt.Errorf("stream %s: %w", events.StreamEvents, err)
		}
		return nil
	}
}

// serveHealth says that the process runs.
func (r *Receiver) serveHealth(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
}

// serveReady says whether events are taken.
func (r *Receiver) serveReady(w http.ResponseWriter, req *http.Request) {
	if r.draining.Load() {
		writeProblem(w, req, refuse(codeUnavailable, "the service is stopping"))
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), readyTimeout)
	defer cancel()
	if err := r.ready(ctx); err != nil {
		r.log.WarnContext(ctx, "not ready", "error", err)
		writeProblem(w, req, refuse(codeUnavailable, "the event store does not answer"))
		return
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ready"})
}
