package connectortest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// scanToken begins the tokens of scans; the number of things that were passed
// follows.
const scanToken = "passed:"

// Scan lists things in the order in which they were made.
func (v *toy) Scan(ctx context.Context, s connector.Scan) (connector.Page, error) {
	if s.Feed != "thing" && v.wrong != "scans anything" {
		return connector.Page{}, v.fault(fault.Rejected, "no such feed")
	}
	if v.wrong == "scans on" {
		ctx = context.WithoutCancel(ctx)
	}
	from, err := v.place(s.Token)
	if err != nil {
		return connector.Page{}, err
	}
	since := s.Since
	switch {
	case v.wrong == "since when":
		since = time.Time{}
	case v.wrong == "since tomorrow" && !since.IsZero():
		since = time.Now().Add(24 * time.Hour)
	}
	listed, err := v.list(ctx, from, since)
	if err != nil {
		return connector.Page{}, err
	}
	return v.page(s, from, listed), nil
}

func (v *toy) place(token string) (int, error) {
	if token == "" || v.wrong == "place in memory" {
		if token == "" {
			v.passed = 0
		}
		return v.passed, nil
	}
	from, err := strconv.Atoi(strings.TrimPrefix(token, scanToken))
	switch {
	case err == nil && strings.HasPrefix(token, scanToken), v.wrong == "takes any token":
		return from, nil
	case v.wrong == "refuses without a kind":
		return 0, err
	}
	return 0, v.fault(fault.Malformed, "unknown token")
}

func (v *toy) list(ctx context.Context, from int, since time.Time) ([]thing, error) {
	path := fmt.Sprintf("/things?from=%d&since=%s", from, url.QueryEscape(since.Format(time.RFC3339Nano)))
	r := rest.Request{Op: "toy: things", Method: http.MethodGet, Path: path, Safe: true}
	resp, err := v.client.Do(ctx, r)
	switch {
	case err != nil:
		return nil, v.fault(fault.KindOf(err), err.Error())
	case !resp.OK():
		return nil, v.fault(rest.Classify(r, resp, "").Kind, "refused")
	}
	var all []thing
	if err := json.Unmarshal(resp.Body, &all); err != nil || all == nil {
		return nil, v.fault(fault.Transient, "answer is no list")
	}
	return all, nil
}

func (v *toy) page(s connector.Scan, from int, listed []thing) connector.Page {
	var p connector.Page
	full := len(listed) == toyPage
	if v.wrong == "pages too large" && len(listed) > 0 {
		listed = append(listed, thing{ID: "999", At: listed[0].At})
	}
	for _, x := range listed {
		c := events.Change{
			Connection: v.deps.Connection, Entity: events.EntityProduct, Object: "thing", ID: x.ID,
			Op: events.OpChanged, At: x.At, Snapshot: v.wrong != "neither snapshot", Fields: events.Fields{},
		}
		if v.wrong == "times by the clock" {
			c.At = time.Now().UTC()
		}
		c.Fields.Set("name", x.Name)
		if x.Gone {
			c.Op, c.Snapshot, c.Fields = events.OpDeleted, false, nil
		}
		if !x.Gone || v.wrong != "keeps deletions to itself" {
			p.Changes = append(p.Changes, c)
		}
	}
	switch v.wrong {
	case "skips one between pages":
		from++
	case "begins pages too early":
		from--
	}
	v.passed = from + len(listed)
	if full || v.wrong == "never ends" {
		p.Next = scanToken + strconv.Itoa(v.passed)
	}
	if v.wrong == "never ends" {
		p.Next = scanToken + strconv.Itoa(from+1)
	}
	p.Mark = s.Mark
	return p
}

// toyScan is what a person can do with the toy vendor's things.
func toyScan(base string) connectortest.Scan {
	keys := map[string]string{} // by id
	return connectortest.Scan{
		Feed: "thing", Page: toyPage,
		Seed: func(t testing.TB, n int) []events.External {
			made := make([]events.External, n)
			for i := range made {
				key := "made-" + strconv.Itoa(len(keys))
				x := toyCall(t, http.MethodPost, base+"/things/"+key)
				keys[x.ID] = key
				made[i] = events.External{Object: "thing", ID: x.ID}
			}
			return made
		},
		Change: func(t testing.TB, x events.External) { toyCall(t, http.MethodPut, base+"/things/"+keys[x.ID]) },
		Delete: func(t testing.TB, x events.External) { toyCall(t, http.MethodDelete, base+"/things/"+x.ID) },
	}
}
