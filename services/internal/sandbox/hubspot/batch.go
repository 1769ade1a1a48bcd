package hubspotbox

import (
	"net/http"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// maxBatch is HubSpot's limit of inputs.
const maxBatch = 100

type batchInput struct {
	Inputs     []input  `json:"inputs"`
	Properties []string `json:"properties"`
}

// batchBody reads the inputs of a batch call.
func (b *Box) batchBody(w http.ResponseWriter, r *http.Request) (batchInput, bool) {
	var in batchInput
	if !b.read(w, r, &in) {
		return in, false
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > maxBatch {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "inputs must have between 1 and 100 elements"})
		return in, false
	}
	for i := range in.Inputs {
		if !in.Inputs[i].plain() {
			b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "Invalid input JSON: a property takes a plain value"})
			return in, false
		}
	}
	return in, true
}

// answer writes a batch's results, with 207 when there are errors.
func (b *Box) answer(w http.ResponseWriter, status int, results any, errs []problem) {
	now := stamp(b.opts.Now())
	body := map[string]any{"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
	if len(errs) > 0 {
		status = http.StatusMultiStatus
		body["numErrors"], body["errors"] = len(errs), errs
	}
	sandbox.JSON(w, status, body)
}

// batchRead leaves out what is not there and names it in an error. It does
// not follow records that were merged away.
func (b *Box) batchRead(t *objectType, w http.ResponseWriter, r *http.Request) {
	in, ok := b.batchBody(w, r)
	if !ok {
		return
	}
	archived := r.URL.Query().Get("archived") == "true"
	results := []shown{}
	var missing []string
	b.mu.Lock()
	seen := map[string]bool{}
	for _, i := range in.Inputs {
		o, ok := b.state.peek(t, i.ID)
		switch {
		case !ok || o.Archived.IsZero() == archived:
			missing = append(missing, i.ID)
		case !seen[i.ID]:
			seen[i.ID] = true
			results = append(results, b.show(t, o, in.Properties))
		}
	}
	b.mu.Unlock()
	var errs []problem
	if len(missing) > 0 {
		errs = append(errs, missingInBatch(t, missing, nil))
	}
	b.answer(w, http.StatusOK, results, errs)
}

// traced reports whether each input has an objectWriteTraceId of its own.
func traced(inputs []input) bool {
	seen := map[string]bool{}
	for _, in := range inputs {
		if in.TraceID == "" || seen[in.TraceID] {
			return false
		}
		seen[in.TraceID] = true
	}
	return true
}

// named is a problem as an entry of a batch.
func named(p problem, in input) problem {
	p.Status, p.Context = "error", map[string][]string{"objectWriteTraceId": {in.TraceID}}
	return p
}

// batchCreate fails as a whole for one bad input, unless all are traced.
func (b *Box) batchCreate(t *objectType, w http.ResponseWriter, r *http.Request) {
	in, ok := b.batchBody(w, r)
	if !ok {
		return
	}
	version, partial := r.PathValue("version"), traced(in.Inputs)
	results := []shown{}
	var errs []problem
	b.mu.Lock()
	if !partial {
		for _, i := range in.Inputs {
			if p, status := b.check(t, nil, i.props, version); status != 0 {
				b.mu.Unlock()
				b.fail(w, status, p)
				return
			}
		}
	}
	for _, i := range in.Inputs {
		s, p, status := b.createOne(t, i, version)
		if status == http.StatusCreated {
			results = append(results, s)
			continue
		}
		errs = append(errs, named(p, i))
	}
	b.save()
	b.mu.Unlock()
	b.answer(w, http.StatusCreated, results, errs)
}

func (b *Box) batchUpdate(t *objectType, w http.ResponseWriter, r *http.Request) {
	in, ok := b.batchBody(w, r)
	if !ok {
		return
	}
	seen := map[string]bool{}
	for _, i := range in.Inputs {
		if i.IDProperty != "" || seen[i.ID] {
			b.fail(w, http.StatusBadRequest, problem{
				Category: validation,
				Message:  "Unable to perform update/upsert: each record may occur once, by its id",
			})
			return
		}
		seen[i.ID] = true
	}
	b.mu.Lock()
	results, errs, p, status := b.updateAll(t, in.Inputs, r.PathValue("version"))
	b.save()
	b.mu.Unlock()
	if status != 0 {
		b.fail(w, status, p)
		return
	}
	b.answer(w, http.StatusOK, results, errs)
}

// updateAll checks every input before it writes any. The caller holds the
// lock.
func (b *Box) updateAll(t *objectType, inputs []input, version string) (results []shown, errs []problem, p problem, status int) {
	results = []shown{}
	good := make([]bool, len(inputs))
	for i, in := range inputs {
		o, ok := b.state.live(t, in.ID)
		if !ok {
			var traces []string
			if in.TraceID != "" {
				traces = []string{in.TraceID}
			}
			errs = append(errs, missingInBatch(t, []string{in.ID}, traces))
			continue
		}
		if p, status = b.check(t, o, in.props, version); status != 0 {
			if !b.opts.NameBadInputs || !traced(inputs) {
				return nil, nil, p, status
			}
			errs = append(errs, named(p, in))
			continue
		}
		good[i] = true
	}
	for i, in := range inputs {
		if !good[i] {
			continue
		}
		o, _ := b.state.live(t, in.ID)
		b.write(t, o, in.props)
		s := b.show(t, o, nil)
		s.TraceID = in.TraceID
		results = append(results, s)
	}
	return results, errs, problem{}, 0
}

// batchUpsert finds records by a unique property.
func (b *Box) batchUpsert(t *objectType, w http.ResponseWriter, r *http.Request) {
	in, ok := b.batchBody(w, r)
	if !ok {
		return
	}
	results := []shown{}
	b.mu.Lock()
	var p problem
	status := 0
	for _, i := range in.Inputs {
		var s shown
		if s, p, status = b.upsertOne(t, i, r.PathValue("version")); status >= http.StatusBadRequest {
			break
		}
		results = append(results, s)
	}
	b.save()
	b.mu.Unlock()
	if status >= http.StatusBadRequest {
		b.fail(w, status, p)
		return
	}
	b.answer(w, http.StatusOK, results, nil)
}

func (b *Box) upsertOne(t *objectType, in input, version string) (shown, problem, int) {
	if p, ok := b.property(t, in.IDProperty); !ok || !p.Unique {
		return shown{}, problem{
			Category: validation, Message: "Unable to perform update/upsert by non-unique " + t.typeID + " property " + in.IDProperty,
		}, http.StatusBadRequest
	}
	in.props[in.IDProperty] = in.ID
	id, found := b.twin(t, nil, map[string]string{in.IDProperty: in.ID})
	if !found {
		s, p, status := b.createOne(t, in, version)
		s.New = &[]bool{true}[0]
		return s, p, status
	}
	o, _ := b.state.live(t, id)
	if p, status := b.check(t, o, in.props, version); status != 0 {
		return shown{}, p, status
	}
	b.write(t, o, in.props)
	s := b.show(t, o, nil)
	s.TraceID, s.New = in.TraceID, &[]bool{false}[0]
	return s, problem{}, http.StatusOK
}

func (b *Box) batchArchive(t *objectType, w http.ResponseWriter, r *http.Request) {
	in, ok := b.batchBody(w, r)
	if !ok {
		return
	}
	b.mu.Lock()
	for _, i := range in.Inputs {
		if o, ok := b.state.live(t, i.ID); ok {
			b.bury(t, o)
			b.Effect(t.name+" archived", o.ID)
		}
	}
	b.save()
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}
