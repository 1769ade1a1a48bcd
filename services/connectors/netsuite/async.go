package netsuite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	// jobPath is where asynchronous jobs are.
	jobPath = "/async/v1/job/"
	// jobPolls is how often a job is asked for in one try; the next try finds
	// it again by its key.
	jobPolls = 5
	// jobWait is the first pause between two polls; it doubles.
	jobWait = time.Second
	// jobLater is when a try comes back to a job that still runs.
	jobLater = 15 * time.Second
)

// job is where an asynchronous job stands.
type job struct {
	Completed bool   `json:"completed"`
	Progress  string `json:"progress"` // pending, processing, succeeded, failed, …
}

// deferred makes a call as an asynchronous job and waits for its end. The key
// follows from the document, so that a try after a lost answer or a restart
// meets the same job: NetSuite answers it with an error that names the job. A
// job that had failed before this try is not asked again: the call is made at
// once instead, since its cause may be mended.
func (t *target) deferred(ctx context.Context, c call, key string) (absent bool, err error) {
	again := c
	c.header = http.Header{"Prefer": {"respond-async"}, "X-NetSuite-Idempotency-Key": {jobKey(key)}}
	resp, absent, err := t.api.do(ctx, c)
	var location string
	old := false
	switch {
	case err == nil && absent:
		return true, nil
	case err == nil && resp.Status != http.StatusAccepted:
		return false, nil // done at once
	case err == nil:
		location = resp.Header.Get("Location")
	case resp != nil && fault.As(err).Code == codeRepeated:
		location, old = resp.Header.Get("Location"), true
	default:
		return false, err
	}
	id := path.Base(location)
	if !jobForm.MatchString(id) || !strings.Contains(location, jobPath) {
		return false, unreadable(c.op)
	}
	j, absent, err := t.await(ctx, c.op, id)
	switch {
	case err != nil:
		return false, err
	case absent, old && j.Progress != "succeeded":
		// NetSuite forgets jobs after a while.
		_, absent, err = t.api.do(ctx, again)
		return absent, err
	case j.Progress == "succeeded":
		return false, nil
	default:
		return t.result(ctx, c, id)
	}
}

var jobForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// await asks for a job until it is done.
func (t *target) await(ctx context.Context, op, id string) (j job, absent bool, err error) {
	for n, pause := 0, jobWait; ; n, pause = n+1, 2*pause {
		resp, absent, err := t.api.do(ctx, call{op: op, method: http.MethodGet, path: jobPath + url.PathEscape(id)})
		if err != nil || absent {
			return job{}, absent, err
		}
		if decode(resp.Body, &j) != nil || j.Progress == "" {
			return job{}, false, unreadable(op)
		}
		if j.Completed {
			return j, false, nil
		}
		if n+1 == jobPolls {
			return job{}, false, fault.New(fault.Throttled, "netsuite: "+op, "the job still runs at NetSuite").WithCode("JOB_RUNS").After(jobLater)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return job{}, false, fault.New(fault.Transient, "netsuite: "+op, "%w", ctx.Err())
		}
	}
}

// result reads why a job failed: the answer that its only task would have had.
func (t *target) result(ctx context.Context, c call, id string) (absent bool, err error) {
	tasks := jobPath + url.PathEscape(id) + "/task"
	resp, _, err := t.api.do(ctx, call{op: c.op, method: http.MethodGet, path: tasks})
	if err != nil {
		return false, err
	}
	var page struct {
		Items []struct {
			ID    label `json:"id"`
			Links []struct {
				Href string `json:"href"`
			} `json:"links"`
		} `json:"items"`
	}
	if decode(resp.Body, &page) != nil || len(page.Items) == 0 {
		return false, unreadable(c.op)
	}
	task := page.Items[0].ID.id
	if task == "" && len(page.Items[0].Links) > 0 {
		task = path.Base(page.Items[0].Links[0].Href)
	}
	if !jobForm.MatchString(task) {
		return false, unreadable(c.op)
	}
	_, absent, err = t.api.do(ctx, call{op: c.op, method: http.MethodGet, path: tasks + "/" + task + "/result", hide: c.hide})
	if err == nil && !absent {
		return false, fault.New(fault.Transient, "netsuite: "+c.op, "NetSuite's job failed and gives no reason")
	}
	return absent, err
}

// jobKey makes the UUID that NetSuite wants of a document's key.
func jobKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8: a hash of our own
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
