package receiver

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The routes, as they stand in metrics and span names.
const (
	routeWebhooks = "/webhooks/{connection}"
	routeEvents   = "/events"
)

// request is one call under way.
type request struct {
	*http.Request
	// speaker is the connection or upstream once it is known to exist; a
	// caller can't make up metric labels.
	speaker string
	// answer is what to write on success.
	answer func(http.ResponseWriter)
}

// handler serves a POST: it sets the answer, or says why not. The writer is
// for limits on reading only.
type handler func(http.ResponseWriter, *request) *refusal

// route puts around a handler what every POST needs: its span, its count, its
// answer, and a line in the log when it was refused.
func (r *Receiver) route(pattern string, serve handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx := otel.GetTextMapPropagator().Extract(req.Context(), propagation.HeaderCarrier(req.Header))
		ctx, span := r.tracer.Start(ctx, "POST "+pattern, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		call := &request{Request: req.WithContext(ctx), speaker: unknownSpeaker}
		refused := r.guard(w, call, serve)

		status, code := http.StatusOK, codeStored
		if refused != nil {
			status, code = refused.status(), refused.code
		}
		span.SetAttributes(
			attribute.String("http.request.method", req.Method), attribute.String("http.route", pattern),
			attribute.Int("http.response.status_code", status),
			attribute.String("spoke.connection", call.speaker), attribute.String("spoke.code", code),
		)
		r.meter.request(pattern, call.speaker, code)
		if refused == nil {
			call.answer(w)
			return
		}
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, code)
		}
		r.logRefusal(call, refused, status)
		writeProblem(w, req, refused)
	})
}

// guard turns a panic into an answer, so that a bug in one connector's
// decoding is told as such and seen in the metrics.
func (r *Receiver) guard(w http.ResponseWriter, call *request, serve handler) (refused *refusal) {
	defer func() {
		if p := recover(); p != nil {
			r.log.ErrorContext(call.Context(), "request panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			refused = refuse(codeInternal, "this is a bug in Spoke")
		}
	}()
	if call.Method != http.MethodPost {
		return refuse(codeMethod, "use POST")
	}
	return serve(w, call)
}

func (r *Receiver) logRefusal(call *request, refused *refusal, status int) {
	attrs := []any{"path", call.URL.Path, "connection", call.speaker, "status", status, "code", refused.code}
	if refused.cause != nil {
		attrs = append(attrs, "error", refused.cause)
	}
	if status >= http.StatusInternalServerError {
		r.log.WarnContext(call.Context(), "request refused", attrs...)
		return
	}
	// Anyone on the internet can cause these; they are counted, and told only
	// to who asks.
	r.log.DebugContext(call.Context(), "request refused", attrs...)
}
