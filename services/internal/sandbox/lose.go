package sandbox

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// loss cuts the connection of calls that made something.
type loss struct {
	every   int
	effects []string
	// call is held by a call from its begin to its end, so that what it made is
	// told from what others make.
	call   sync.Mutex
	calls  int // that made something
	lost   map[string]int
	active bool
}

// LoseCreates loses the answer of every so many calls that make an object: the
// connection is cut after the object stands, in the middle of the answer where
// it has a body. effects name what counts as made ("salesOrder created"). A call
// that makes several objects is one call, and loses the answer for all of them.
// Every 0 loses none from then on; what was lost stays counted.
func (s *Server) LoseCreates(every int, effects ...string) {
	s.loss.call.Lock()
	defer s.loss.call.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss.every, s.loss.effects, s.loss.active = every, effects, every > 0
	if s.loss.lost == nil {
		s.loss.lost = map[string]int{}
	}
}

// LostCreates returns for how many objects the answer was lost, by effect.
func (s *Server) LostCreates() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.loss.lost)
}

// losing reports whether the answer of a call may be lost.
func (s *Server) losing(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loss.active && r.Method != http.MethodGet
}

// serveOrLose serves a call, and loses its answer when its turn has come.
func (s *Server) serveOrLose(w http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	body, err := io.ReadAll(r.Body) // a slow caller must not hold up the others
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	maps.Copy(answer.Header(), w.Header())
	if s.takesEffect(func() { h(answer, r) }) {
		cut(w, answer)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // a caller that left needs no answer
}

// takesEffect makes a call and reports whether its answer is to be lost.
func (s *Server) takesEffect(call func()) bool {
	s.loss.call.Lock()
	defer s.loss.call.Unlock()
	before := s.made()
	call()
	after := s.made()
	s.mu.Lock()
	defer s.mu.Unlock()
	if maps.Equal(before, after) || !s.loss.active {
		return false
	}
	if s.loss.calls++; s.loss.calls%s.loss.every != 0 {
		return false
	}
	for what, n := range after {
		s.loss.lost[what] += n - before[what]
	}
	return true
}

// made is how much was made of what counts.
func (s *Server) made() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, what := range s.loss.effects {
		n[what] = s.totals[what]
	}
	return n
}

// cut breaks the connection off, within the body if there is one.
func cut(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	body := answer.Body.Bytes()
	if flusher, ok := w.(http.Flusher); ok && len(body) > 1 {
		maps.Copy(w.Header(), answer.Header())
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body[:len(body)/2]) // it is cut off anyway
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}
