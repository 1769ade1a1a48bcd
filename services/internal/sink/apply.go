package sink

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/crash"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// apply makes the calls for a batch behind the breaker. It answers one result
// per job, whatever happens.
func (s *Sink) apply(ctx context.Context, jobs []*job) []connector.Result {
	results := make([]connector.Result, len(jobs))
	// One span carries the calls of a batch: the first document's, with links
	// to the others.
	links := make([]trace.Link, 0, len(jobs))
	for _, j := range jobs[1:] {
		links = append(links, trace.LinkFromContext(j.ctx))
	}
	ctx = trace.ContextWithSpan(ctx, jobs[0].span)
	ctx, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	ctx, span := s.Tracer.Start(ctx, "apply "+s.Connection, trace.WithLinks(links...),
		trace.WithSpanKind(trace.SpanKindInternal),
		trace.WithAttributes(attribute.Int("messaging.batch.message_count", len(jobs))))
	defer span.End()

	var ready []int
	for i, j := range jobs {
		if err := s.lookUp(ctx, j); err != nil {
			results[i] = connector.Result{Err: err}
			continue
		}
		ready = append(ready, i)
	}
	if len(ready) == 0 {
		return results
	}
	docs := make([]connector.Document, len(ready))
	for n, i := range ready {
		docs[n] = jobs[i].doc
	}
	crash.Point(crash.SinkReserved)
	answers := s.call(ctx, docs)
	crash.Point(crash.SinkCalled)
	for n, r := range answers {
		results[ready[n]] = r
	}
	return results
}

// lookUp finds out whether a call whose answer is unknown took effect.
func (s *Sink) lookUp(ctx context.Context, j *job) error {
	if !j.unknown || j.doc.ExternalID != "" {
		return nil
	}
	var found bool
	var r connector.Result
	err := s.Breaker.Execute(ctx, func() (err error) {
		defer recovered(s.Kind.Name, &err)
		r, found, err = s.Target.Find(ctx, j.doc)
		return err
	})
	if err != nil {
		return err
	}
	j.span.AddEvent("looked up", trace.WithAttributes(attribute.Bool("spoke.found", found)))
	if found {
		j.doc.ExternalID = r.ID
	}
	return nil
}

// call runs Apply behind the breaker. What counts for the breaker is the
// worst error of the batch.
func (s *Sink) call(ctx context.Context, docs []connector.Document) []connector.Result {
	var results []connector.Result
	err := s.Breaker.Execute(ctx, func() (err error) {
		defer recovered(s.Kind.Name, &err)
		results = s.Target.Apply(ctx, docs)
		if len(results) != len(docs) {
			return fault.New(fault.Internal, s.Kind.Name, "apply answered %d results for %d documents", len(results), len(docs))
		}
		return worst(results)
	})
	if err != nil && len(results) != len(docs) {
		results = make([]connector.Result, len(docs))
		for i := range results {
			results[i].Err = err
		}
	}
	return results
}

// worst returns the error that says most about the vendor's health. A vendor
// that did a part of the work is there: what failed beside it is tried again, and
// is no outage. That a breaker counts failures in a row would otherwise make one
// of the hundred documents of each batch, or a line that drops every second
// answer, look like a vendor that is down.
func worst(results []connector.Result) error {
	var err error
	top := fault.BreakerSuccess
	worked := false
	for _, r := range results {
		if r.Err == nil {
			worked = worked || (r.Effect != "" && r.Effect != events.EffectUnchanged)
			continue
		}
		if b := fault.Judge(r.Err, 1, 0).Breaker; err == nil || severity(b) > severity(top) {
			err, top = r.Err, b
		}
	}
	if worked && top == fault.BreakerFailure {
		return nil
	}
	return err
}

func severity(b fault.Breaker) int {
	switch b {
	case fault.BreakerTrip:
		return 3
	case fault.BreakerFailure:
		return 2
	case fault.BreakerIgnore:
		return 1
	default:
		return 0
	}
}

// recovered turns a connector's panic into an error of the kind Internal.
func recovered(op string, err *error) {
	if p := recover(); p != nil {
		*err = fault.New(fault.Internal, op, "panic: %v", p).WithCode("panic").
			WithHint(fmt.Sprintf("report this: %.400s", debug.Stack()))
	}
}
