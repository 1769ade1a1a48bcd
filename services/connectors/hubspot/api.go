package hubspot

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// api makes HubSpot's calls and judges the answers.
type api struct {
	rest    rest.Client
	version string
	now     func() time.Time
	zone    *time.Location
}

// errorWithin is where an error body says that it is one: HubSpot puts the
// status first.
const errorWithin = 256

// call is one call. The answer is decoded into out, which may be nil.
type call struct {
	op     string // for errors, without the vendor's name
	method string
	path   string
	query  url.Values
	body   any
	out    any
	// empty is set when the answer has no content, where that is one.
	empty *bool
}

// do makes the call. Every call of this connector may be repeated: reads
// change nothing, updates set values, and creating a property that exists is
// refused. So a lost answer is Transient, never Ambiguous.
func (a *api) do(ctx context.Context, c call) error {
	r := rest.Request{
		Op: "hubspot: " + c.op, Method: c.method, Path: c.path, Query: c.query, Safe: true,
		Header: http.Header{"Accept": {"application/json"}},
	}
	if c.body != nil {
		b, err := json.Marshal(c.body)
		if err != nil {
			return fault.New(fault.Internal, r.Op, "%w", err)
		}
		r.Body = b
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.rest.Do(oauth.WithUsed(ctx), r)
	if err != nil {
		return err
	}
	if !resp.OK() {
		return a.refused(r, resp)
	}
	if c.empty != nil && resp.Status == http.StatusNoContent {
		*c.empty = true
		return nil
	}
	// An error is one whatever status a proxy put on it.
	if bytes.Contains(resp.Body[:min(len(resp.Body), errorWithin)], []byte(`"error"`)) {
		if p, ok := parseProblem(resp.Body); ok && p.Status == "error" {
			return p.fault(r.Op, p.likelyStatus())
		}
	}
	if c.out == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(resp.Body))
	dec.UseNumber()
	if dec.Decode(c.out) != nil {
		return garbled(r.Op, resp.Status)
	}
	return nil
}

// garbled is an answer that HubSpot can't have given: a page, or nothing.
func garbled(op string, status int) *fault.Error {
	return fault.New(fault.Transient, op, "%d: the answer is not HubSpot's JSON", status).
		WithHint("something between Spoke and HubSpot answers in its place: check the connection's url and any proxy")
}

// The paths of the API.

func (a *api) objects(k kind, rest string) string {
	return "/crm/objects/" + url.PathEscape(a.version) + "/" + k.plural + rest
}

func (a *api) associations(from, to kind, rest string) string {
	return "/crm/associations/" + url.PathEscape(a.version) + "/" + from.plural + "/" + to.plural + rest
}

func (a *api) pipelines(k kind) string {
	return "/crm/pipelines/" + url.PathEscape(a.version) + "/" + k.plural
}

func (a *api) properties(k kind, rest string) string {
	return "/crm/properties/" + url.PathEscape(a.version) + "/" + k.plural + rest
}

// account is what HubSpot says of the portal.
type account struct {
	PortalID        json.Number `json:"portalId"`
	CompanyCurrency string      `json:"companyCurrency"`
}

func (a *api) account(ctx context.Context) (account, error) {
	const op = "read the account's details"
	var v account
	err := a.do(ctx, call{
		op: op, method: http.MethodGet, path: "/account-info/" + url.PathEscape(a.version) + "/details", out: &v,
	})
	if err == nil && v.PortalID == "" {
		err = garbled("hubspot: "+op, http.StatusOK)
	}
	return v, err
}

// record is a CRM record as HubSpot answers it.
type record struct {
	ID           string             `json:"id"`
	Properties   map[string]*string `json:"properties"`
	UpdatedAt    string             `json:"updatedAt"`
	Archived     bool               `json:"archived"`
	ArchivedAt   time.Time          `json:"archivedAt"`
	Associations map[string]struct {
		Results []struct {
			ID   string `json:"id"`
			Type string `json:"type"`
		} `json:"results"`
		Paging *paging `json:"paging"`
	} `json:"associations"`
	TraceID string `json:"objectWriteTraceId"`
	New     bool   `json:"new"` // of an upsert
}

type paging struct {
	Next struct {
		After string `json:"after"`
	} `json:"next"`
}

// text returns a property, or "" when it is empty or was not read.
func (r record) text(property string) string {
	if v := r.Properties[property]; v != nil {
		return *v
	}
	return ""
}

// batch is the answer to a batch call, 200 or 207.
type batch[T any] struct {
	Results []T       `json:"results"`
	Errors  []problem `json:"errors"`
}
