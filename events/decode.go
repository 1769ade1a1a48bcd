package events

import (
	"encoding/json"
	"fmt"
)

// Heading is what is needed of an event besides its data.
type Heading struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	TraceParent string `json:"traceparent"`
	TraceState  string `json:"tracestate"`
}

// DecodeChange reads heading and change of a stored event in one pass.
func DecodeChange(b []byte) (Heading, Change, error) {
	var w struct {
		Heading
		Data Change `json:"data"`
	}
	err := decodeStored(b, &w, &w.Heading)
	return w.Heading, w.Data, err
}

// DecodeOutcome reads heading and outcome of a stored `written` event in one
// pass.
func DecodeOutcome(b []byte) (Heading, Outcome, error) {
	var w struct {
		Heading
		Data Outcome `json:"data"`
	}
	err := decodeStored(b, &w, &w.Heading)
	return w.Heading, w.Data, err
}

func decodeStored(b []byte, into any, h *Heading) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("cloudevent: %w", err)
	}
	if h.SpecVersion != SpecVersion || h.ID == "" {
		return fmt.Errorf("cloudevent: specversion %q and an id are required", SpecVersion)
	}
	return nil
}
