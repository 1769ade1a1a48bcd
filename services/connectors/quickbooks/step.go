package quickbooks

import (
	"context"
	"sync"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// step is one write that a document calls for, and what follows from its
// answer: the next step, or the result.
type step struct {
	kind  *kind
	write write
	then  func(ctx context.Context, b body, err error) (*step, connector.Result, error)
}

// answer is what came of one write.
type answer struct {
	body body
	err  error
}

// inFlight bounds the calls of one Apply, so that two replicas stay below what
// a company may have.
const inFlight = 4

// run takes documents through their steps. Those that can share a call do.
func (t *target) run(ctx context.Context, steps []*step, results []connector.Result) {
	for {
		var due []int
		for i, s := range steps {
			if s != nil {
				due = append(due, i)
			}
		}
		if len(due) == 0 {
			return
		}
		todo := make([]*step, len(due))
		for n, i := range due {
			todo[n] = steps[i]
		}
		answers := t.send(ctx, todo)
		parallel(len(due), func(n int) {
			i := due[n]
			next, r, err := todo[n].then(ctx, answers[n].body, answers[n].err)
			if err != nil {
				next, r = nil, connector.Result{Err: err}
			}
			steps[i], results[i] = next, r
		})
	}
}

// send makes the writes of all steps, in batches where it is safe. A batch has
// one request id for what happens to be in it, so that its lost answer can't
// be asked for again once it is put together otherwise. The version guards a
// change and the unique name that of a customer or an item; for a new
// transaction there is only its request id, and it goes alone. A few writes are
// done sooner by themselves than their batch is allowed.
func (t *target) send(ctx context.Context, steps []*step) []answer {
	answers := make([]answer, len(steps))
	var alone, together []int
	for i, s := range steps {
		if s.write.alone {
			alone = append(alone, i)
		} else {
			together = append(together, i)
		}
	}
	for len(together) >= leastBatch {
		n := min(len(together), maxBatch)
		part := make([]*step, n)
		for j, i := range together[:n] {
			part[j] = steps[i]
		}
		for j, a := range t.client.batch(ctx, part) {
			answers[together[j]] = a
		}
		together = together[n:]
	}
	alone = append(alone, together...)
	parallel(len(alone), func(n int) {
		s := steps[alone[n]]
		b, err := t.client.post(ctx, s.kind, s.write)
		answers[alone[n]] = answer{b, err}
	})
	return answers
}

// parallel calls f for 0 to n-1, a few at a time, and returns when all are done.
func parallel(n int, f func(int)) {
	if n == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, inFlight)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}
