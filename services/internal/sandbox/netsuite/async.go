package netsuitebox

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// job is one asynchronous call. It runs when it has been asked for often
// enough, or when RunJobs is called.
type job struct {
	id    string
	key   string
	polls int // until it runs
	run   func()
	done  bool
	// What it answered.
	status   int
	location string
	body     []byte
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

const jobPath = "/services/rest/async/v1/job/"

// deferred makes a job of a call that asks for it. Without the header the
// call runs at once, and an idempotency key means nothing.
func (b *Box) deferred(w http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	if r.Header.Get("Prefer") != "respond-async" {
		h(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		answer(w, problem{Code: "INVALID_CONTENT", Detail: "The request body can't be read."})
		return
	}
	key := r.Header.Get("X-NetSuite-Idempotency-Key")
	if key != "" && !uuidForm.MatchString(key) {
		answer(w, problem{Code: "INVALID_HEADER", Header: "X-NetSuite-Idempotency-Key", Detail: "The key must be a UUID."})
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if key != "" && j.key == key {
			w.Header().Set("Location", "http://"+r.Host+jobPath+j.id)
			fail(w, http.StatusBadRequest, problem{Title: "Conflict", Code: "IDEMPOTENCY_ERROR", Header: "X-NetSuite-Idempotency-Key", Detail: "The request with this idempotency key is known already."})
			return
		}
	}
	j := &job{id: strconv.Itoa(len(b.jobs) + 1), key: key, polls: b.opts.JobPolls}
	later := r.Clone(r.Context())
	later.Body = io.NopCloser(bytes.NewReader(body))
	j.run = func() {
		answer := httptest.NewRecorder()
		h(answer, later)
		b.mu.Lock()
		defer b.mu.Unlock()
		j.done, j.status, j.location, j.body = true, answer.Code, answer.Header().Get("Location"), answer.Body.Bytes()
	}
	b.jobs = append(b.jobs, j)
	w.Header().Set("Location", "http://"+r.Host+jobPath+j.id)
	w.Header().Set("Preference-Applied", "respond-async")
	w.WriteHeader(http.StatusAccepted)
}

// job finds a job by the path, and runs it when its time has come.
func (b *Box) job(r *http.Request, poll bool) (j job, found bool) {
	b.mu.Lock()
	i, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || i < 1 || i > len(b.jobs) {
		b.mu.Unlock()
		return job{}, false
	}
	at := b.jobs[i-1]
	due := poll && !at.done && at.polls <= 0
	if poll {
		at.polls--
	}
	b.mu.Unlock()
	if due {
		at.run()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return *at, true
}

// RunJobs runs what was accepted and has not run.
func (b *Box) RunJobs() {
	b.mu.Lock()
	waiting := append([]*job(nil), b.jobs...)
	b.mu.Unlock()
	for _, j := range waiting {
		if !j.done {
			j.run()
		}
	}
}

func (j job) progress() string {
	switch {
	case !j.done:
		return "processing"
	case j.status >= http.StatusBadRequest:
		return "failed"
	default:
		return "succeeded"
	}
}

func noJob(w http.ResponseWriter, r *http.Request) {
	fail(w, http.StatusNotFound, problem{Code: "NONEXISTENT_ID", URL: r.URL.Path, Detail: "There is no such job."})
}

func (b *Box) serveJob(w http.ResponseWriter, r *http.Request) {
	j, found := b.job(r, true)
	if !found {
		noJob(w, r)
		return
	}
	self := "http://" + r.Host + jobPath + j.id
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"id": j.id, "completed": j.done, "progress": j.progress(),
		"task":  map[string]any{"links": links(self + "/task")},
		"links": links(self),
	})
}

func (b *Box) serveTasks(w http.ResponseWriter, r *http.Request) {
	j, found := b.job(r, false)
	if !found {
		noJob(w, r)
		return
	}
	self := "http://" + r.Host + jobPath + j.id + "/task"
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"items": []any{map[string]any{"id": "1", "links": links(self + "/1")}},
		"count": 1, "totalResults": 1, "offset": 0, "hasMore": false, "links": links(self),
	})
}

// serveResult answers what the call would have answered.
func (b *Box) serveResult(w http.ResponseWriter, r *http.Request) {
	j, found := b.job(r, false)
	if !found || r.PathValue("task") != "1" || !j.done {
		noJob(w, r)
		return
	}
	if j.location != "" {
		w.Header().Set("Location", j.location)
	}
	if len(j.body) > 0 {
		w.Header().Set("Content-Type", "application/vnd.oracle.resource+json; type=error")
	}
	w.WriteHeader(j.status)
	_, _ = w.Write(j.body) // a caller that left needs no answer
}

func links(href string) []any { return []any{map[string]string{"rel": "self", "href": href}} }
