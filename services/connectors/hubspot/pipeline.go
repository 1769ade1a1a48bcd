package hubspot

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// chance is what a stage's probability comes to.
type chance uint8

const (
	undecided chance = iota // neither, or not known
	certain                 // probability 1: won
	hopeless                // probability 0: lost
)

// stages remembers the stages of the portal's deal pipelines. "closedwon" is
// only the default pipeline's name for one of them.
type stages struct {
	api *api

	mu   sync.Mutex
	by   map[[2]string]chance // by pipeline and stage
	read time.Time
}

// probability looks a stage up. The pipelines are read again when they are
// old, or when the stage is not among them and they are not brand new.
func (s *stages) probability(ctx context.Context, pipeline, stage string) (chance, error) {
	if stage == "" {
		return undecided, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.by[[2]string{pipeline, stage}]
	age := s.api.now().Sub(s.read)
	if s.by != nil && age < pipelineTTL && (known || age < time.Minute) {
		return c, nil
	}
	if err := s.load(ctx); err != nil {
		return undecided, err
	}
	return s.by[[2]string{pipeline, stage}], nil
}

func (s *stages) load(ctx context.Context) error {
	const op = "read the deal pipelines"
	var answer batch[struct {
		ID     string `json:"id"`
		Stages []struct {
			ID       string            `json:"id"`
			Metadata map[string]string `json:"metadata"`
		} `json:"stages"`
	}]
	err := s.api.do(ctx, call{op: op, method: http.MethodGet, path: s.api.pipelines(deal), out: &answer})
	if err != nil {
		return err
	}
	if answer.Results == nil {
		return garbled("hubspot: "+op, http.StatusOK)
	}
	s.by, s.read = map[[2]string]chance{}, s.api.now()
	for _, p := range answer.Results {
		for _, st := range p.Stages {
			s.by[[2]string{p.ID, st.ID}] = parseChance(st.Metadata["probability"])
		}
	}
	return nil
}

func parseChance(text string) chance {
	d, err := events.ParseDecimal(text)
	switch {
	case err != nil:
		return undecided
	case d.IsZero():
		return hopeless
	case d.Cmp(events.DecimalFromInt(1)) == 0:
		return certain
	}
	return undecided
}
