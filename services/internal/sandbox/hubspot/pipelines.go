package hubspotbox

import (
	"net/http"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// stage is one stage of a pipeline.
type stage struct {
	id, label, probability string
	closed                 bool
}

// pipeline is a deal pipeline.
type pipeline struct {
	id, label string
	stages    []stage
}

// pipelines are the portal's: the one every portal has, and one whose won
// stage has a name of its own.
func pipelines() []pipeline {
	return []pipeline{
		{"default", "Sales Pipeline", []stage{
			{"appointmentscheduled", "Appointment Scheduled", "0.2", false},
			{"qualifiedtobuy", "Qualified To Buy", "0.4", false},
			{"contractsent", "Contract Sent", "0.9", false},
			{"closedwon", "Closed Won", "1.0", true},
			{"closedlost", "Closed Lost", "0.0", true},
		}},
		{"renewals", "Renewals", []stage{
			{"80010001", "Due", "0.5", false},
			{"80010002", "Renewed", "1.0", true},
			{"80010003", "Cancelled", "0.0", true},
		}},
	}
}

// findStage looks a stage up in its pipeline.
func findStage(pipelineID, stageID string) (stage, bool) {
	for _, p := range pipelines() {
		if p.id != pipelineID {
			continue
		}
		for _, s := range p.stages {
			if s.id == stageID {
				return s, true
			}
		}
	}
	return stage{}, false
}

func (b *Box) listPipelines(t *objectType, w http.ResponseWriter, _ *http.Request) {
	results := []any{}
	if t.name == "deal" {
		for i, p := range pipelines() {
			stages := []any{}
			for j, s := range p.stages {
				stages = append(stages, map[string]any{
					"id": s.id, "label": s.label, "displayOrder": j, "archived": false,
					"metadata": map[string]string{"probability": s.probability, "isClosed": boolText(s.closed)},
				})
			}
			results = append(results, map[string]any{"id": p.id, "label": p.label, "displayOrder": i, "archived": false, "stages": stages})
		}
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{"results": results})
}
