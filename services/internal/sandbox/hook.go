package sandbox

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Hook delivers webhooks to one URL: in order, with retries, each try signed
// anew. Deliveries go on in the background until Close.
type Hook struct {
	url    string
	sign   func(r *http.Request, body []byte)
	client *http.Client
	log    *slog.Logger

	mu      sync.Mutex
	queue   [][]byte
	wake    chan struct{}
	pending int
	idle    *sync.Cond
	stop    context.CancelFunc
	done    chan struct{}
}

// hookRetry is the pause between tries. Vendors wait longer; a sandbox that
// did would only make its user wait.
const hookRetry = 300 * time.Millisecond

// NewHook starts a sender. sign sets the vendor's signature headers. An empty
// url makes a Hook that drops everything.
func NewHook(url string, log *slog.Logger, sign func(r *http.Request, body []byte)) *Hook {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Hook{
		url: url, sign: sign, log: log, client: &http.Client{Timeout: 10 * time.Second},
		wake: make(chan struct{}, 1), stop: cancel, done: make(chan struct{}),
	}
	h.idle = sync.NewCond(&h.mu)
	go h.run(ctx)
	return h
}

// Send queues one delivery and returns at once.
func (h *Hook) Send(body []byte) {
	if h == nil || h.url == "" {
		return
	}
	h.mu.Lock()
	h.queue = append(h.queue, body)
	h.pending++
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Flush waits until everything that was sent has been accepted or ctx ends.
func (h *Hook) Flush(ctx context.Context) error {
	stop := context.AfterFunc(ctx, h.idle.Broadcast)
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.pending > 0 && ctx.Err() == nil {
		h.idle.Wait()
	}
	return ctx.Err()
}

// Close stops the sender; what has not been accepted is dropped.
func (h *Hook) Close() {
	if h == nil {
		return
	}
	h.stop()
	<-h.done
}

func (h *Hook) run(ctx context.Context) {
	defer close(h.done)
	defer h.client.CloseIdleConnections()
	for {
		body, ok := h.next()
		if !ok {
			select {
			case <-h.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		for !h.post(ctx, body) {
			select {
			case <-time.After(hookRetry):
			case <-ctx.Done():
				return
			}
		}
		h.mu.Lock()
		h.pending--
		h.idle.Broadcast()
		h.mu.Unlock()
	}
}

func (h *Hook) next() ([]byte, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		return nil, false
	}
	body := h.queue[0]
	h.queue = h.queue[1:]
	return body, true
}

func (h *Hook) post(ctx context.Context, body []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	h.sign(req, body)
	resp, err := h.client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode >= 300 {
		h.log.Debug("webhook refused", "url", h.url, "status", resp.StatusCode, "answer", string(answer))
		return false
	}
	return true
}
