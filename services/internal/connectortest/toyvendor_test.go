package connectortest_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// thing is what the toy vendor stores.
type thing struct {
	ID   string `json:"id"`
	Key  string `json:"key,omitempty"`
	Name string `json:"name"`
	// Of is the id of another thing that this one is a part of.
	Of string `json:"of,omitempty"`
	// At is when it was changed or deleted.
	At   time.Time `json:"at"`
	Gone bool      `json:"gone,omitempty"`
}

// newToyVendor is a vendor with one object type: PUT by key upserts, POST
// always creates another one.
func newToyVendor() *sandbox.Server {
	s := sandbox.New("toy", slog.New(slog.DiscardHandler), func(w http.ResponseWriter, _ *http.Request, f sandbox.Fault) {
		status := map[string]int{sandbox.FaultThrottle: 429, sandbox.FaultExpire: 401, sandbox.FaultError: f.Status}
		sandbox.JSON(w, status[f.Kind], map[string]string{"error": "toy says no"})
	})
	var mu sync.Mutex
	var all []*thing
	find := func(match func(*thing) bool) *thing {
		for _, x := range all {
			if match(x) {
				return x
			}
		}
		return nil
	}
	write := func(w http.ResponseWriter, r *http.Request, upsert bool) {
		mu.Lock()
		defer mu.Unlock()
		var in thing
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in.Of != "" && find(func(x *thing) bool { return x.ID == in.Of }) == nil {
			sandbox.JSON(w, http.StatusUnprocessableEntity, map[string]string{"error": "of: no such thing"})
			return
		}
		key := r.PathValue("key")
		x := find(func(x *thing) bool { return upsert && x.Key == key })
		if x == nil {
			x = &thing{ID: strconv.Itoa(len(all) + 1), Key: key}
			all = append(all, x)
			s.Effect("thing created", key)
		} else {
			s.Effect("thing updated", key)
		}
		x.Name, x.At = in.Name, time.Now().UTC()
		sandbox.JSON(w, 200, x)
	}
	s.Handle("write thing", "PUT /things/{key}", func(w http.ResponseWriter, r *http.Request) { write(w, r, true) })
	s.Handle("write thing", "POST /things/{key}", func(w http.ResponseWriter, r *http.Request) { write(w, r, false) })
	s.Handle("get thing", "GET /{by}/{key}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		x := find(func(x *thing) bool { return x.Key == r.PathValue("key") || x.ID == r.PathValue("key") })
		if x == nil {
			sandbox.JSON(w, 404, map[string]string{"error": "none"})
			return
		}
		sandbox.JSON(w, 200, x)
	})
	s.Handle("delete thing", "DELETE /things/{id}", func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		x := find(func(x *thing) bool { return x.ID == r.PathValue("id") })
		x.Gone, x.At = true, time.Now().UTC()
	})
	s.Handle("list things", "GET /things", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		q := r.URL.Query()
		from, err := strconv.Atoi(q.Get("from"))
		since, errSince := time.Parse(time.RFC3339Nano, q.Get("since"))
		if err != nil || errSince != nil {
			sandbox.JSON(w, 400, map[string]string{"error": "from or since"})
			return
		}
		found := []*thing{}
		for _, x := range all {
			if !x.At.Before(since) && (!x.Gone || !since.IsZero()) {
				found = append(found, x)
			}
		}
		found = found[min(from, len(found)):]
		sandbox.JSON(w, 200, found[:min(toyPage, len(found))])
	})
	s.Control("POST /_sandbox/touch/{id}", func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		x := find(func(x *thing) bool { return x.ID == r.PathValue("id") })
		x.Name, x.At = "touched", time.Now().UTC()
	})
	s.Handle("ping", "GET /ping", func(http.ResponseWriter, *http.Request) {})
	return s
}

// toyPage is how many things the toy vendor lists at a time.
const toyPage = 4

type toySettings struct {
	URL   string
	Token secret.Value
}
