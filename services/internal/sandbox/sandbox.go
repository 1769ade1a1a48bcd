// Package sandbox is what every vendor sandbox is built on: it counts each
// call and each effect, injects faults, sends signed webhooks, and answers
// the control calls under /_sandbox/ that tests and the demo use. The
// vendors' own behaviour is in the packages below this one.
package sandbox

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Server is the base of one vendor's sandbox.
type Server struct {
	name string
	log  *slog.Logger
	mux  *http.ServeMux
	// Refuse writes the vendor's own answer for an injected fault.
	refuse func(w http.ResponseWriter, r *http.Request, f Fault)

	mu      sync.Mutex
	calls   map[string]int            // by operation
	effects map[string]map[string]int // by effect ("salesOrder created"), then by key
	totals  map[string]int            // by effect, over all keys
	faults  []*Fault
	loss    loss
	objects func() map[string]any // dump for control calls
}

// Fault is one switch.
type Fault struct {
	// Op is the operation it hits; empty means any.
	Op string `json:"op,omitempty"`
	// Kind is latency, throttle, error, down, lost (applied, but the answer
	// is cut off) or expire (the token is no longer valid).
	Kind string `json:"kind"`
	// Status of an error; 500 when absent.
	Status int `json:"status,omitempty"`
	// Count is how many calls it hits; 0 means until it is cleared.
	Count int `json:"count,omitempty"`
	// DelayMS is the latency to add, in milliseconds.
	DelayMS int `json:"delayMs,omitempty"`
	// RetryAfter is the seconds a throttled caller is told to wait.
	RetryAfter int `json:"retryAfter,omitempty"`
}

// The kinds of faults.
const (
	FaultLatency  = "latency"
	FaultThrottle = "throttle"
	FaultError    = "error"
	FaultDown     = "down" // the connection is cut before anything happens
	FaultLost     = "lost"
	FaultExpire   = "expire"
)

// New returns a server without operations. refuse writes the vendor's answer
// for the faults throttle (429), error (f.Status) and expire (401).
func New(name string, log *slog.Logger, refuse func(http.ResponseWriter, *http.Request, Fault)) *Server {
	s := &Server{
		name: name, log: log, mux: http.NewServeMux(), refuse: refuse,
		calls: map[string]int{}, effects: map[string]map[string]int{}, totals: map[string]int{},
	}
	s.mux.HandleFunc("GET /_sandbox/counts", s.serveCounts)
	s.mux.HandleFunc("GET /_sandbox/objects", s.serveObjects)
	s.mux.HandleFunc("POST /_sandbox/faults", s.serveInject)
	s.mux.HandleFunc("DELETE /_sandbox/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	return s
}

// Dump sets what GET /_sandbox/objects shows: objects by type, then by id.
func (s *Server) Dump(f func() map[string]any) { s.objects = f }

// Handle serves one operation of the vendor's API. pattern is as in
// http.ServeMux. The operation is counted and hit by faults before h runs.
func (s *Server) Handle(op, pattern string, h http.HandlerFunc) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls[op]++
		f := s.take(op)
		s.mu.Unlock()
		s.serve(w, r, h, f)
	})
}

// Control adds a control call, which is neither counted nor hit by faults.
// The path should start with /_sandbox/ or be a page for people.
func (s *Server) Control(pattern string, h http.HandlerFunc) { s.mux.HandleFunc(pattern, h) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request, h http.HandlerFunc, f *Fault) {
	switch {
	case f == nil && s.losing(r):
		s.serveOrLose(w, r, h)
		return
	case f == nil:
		h(w, r)
		return
	}
	switch f.Kind {
	case FaultLatency:
		select {
		case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
		h(w, r)
	case FaultDown:
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	case FaultLost:
		// The effect takes place, the answer does not arrive.
		h(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	default:
		s.refuse(w, r, *f)
	}
}

// take returns the first fault for op and spends one of its counts.
func (s *Server) take(op string) *Fault {
	for i, f := range s.faults {
		if f.Op != "" && f.Op != op {
			continue
		}
		hit := *f
		if f.Count > 0 {
			if f.Count--; f.Count == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return &hit
	}
	return nil
}

// Inject switches a fault on.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults switches all faults off.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Call counts a part of a call, such as one item of a batch.
func (s *Server) Call(op string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
}

// Effect records that something now exists or changed: Effect("salesOrder
// created", "HS-deal-77"). The key is the caller's external key where the
// object has one, else the vendor's id.
func (s *Server) Effect(what, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effects[what] == nil {
		s.effects[what] = map[string]int{}
	}
	s.effects[what][key]++
	s.totals[what]++
}

// Happened is how often an effect happened, over all keys.
func (s *Server) Happened(effect string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals[effect]
}

// Counts is what a sandbox has counted.
type Counts struct {
	// Calls by operation.
	Calls map[string]int `json:"calls"`
	// Effects by what happened, then by key: how often.
	Effects map[string]map[string]int `json:"effects"`
}

// Counts returns a copy of what was counted.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Counts{Calls: maps.Clone(s.calls), Effects: make(map[string]map[string]int, len(s.effects))}
	for what, keys := range s.effects {
		c.Effects[what] = maps.Clone(keys)
	}
	return c
}

// TotalCalls sums the calls of all operations.
func (c Counts) TotalCalls() int {
	n := 0
	for _, v := range c.Calls {
		n += v
	}
	return n
}

// Total returns how often an effect happened, over all keys.
func (c Counts) Total(what string) int {
	n := 0
	for _, v := range c.Effects[what] {
		n += v
	}
	return n
}

// ServeHTTP serves the vendor's API and the control calls.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) serveCounts(w http.ResponseWriter, _ *http.Request) {
	JSON(w, http.StatusOK, s.Counts())
}

func (s *Server) serveObjects(w http.ResponseWriter, _ *http.Request) {
	if s.objects == nil {
		JSON(w, http.StatusOK, map[string]any{})
		return
	}
	JSON(w, http.StatusOK, s.objects())
}

func (s *Server) serveInject(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&f); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Inject(f)
	w.WriteHeader(http.StatusNoContent)
}

// JSON writes v with the status.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a caller that left needs no answer
}
