package connectortest_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// thing is what the toy vendor stores.
type thing struct {
	ID   string `json:"id"`
	Key  string `json:"key,omitempty"`
	Name string `json:"name"`
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
		key := r.PathValue("key")
		x := find(func(x *thing) bool { return upsert && x.Key == key })
		if x == nil {
			x = &thing{ID: strconv.Itoa(len(all) + 1), Key: key}
			all = append(all, x)
			s.Effect("thing created", key)
		} else {
			s.Effect("thing updated", key)
		}
		x.Name = in.Name
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
	s.Handle("ping", "GET /ping", func(http.ResponseWriter, *http.Request) {})
	return s
}

type toySettings struct {
	URL   string
	Token secret.Value
}
