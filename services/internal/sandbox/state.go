package sandbox

import (
	"encoding/json"
	"fmt"

	"github.com/spoke-sync/spoke/services/internal/durable"
)

// SaveState writes v as JSON to a file, at once: a crash or power cut leaves
// the old file or the new one. An empty path keeps nothing.
func SaveState(path string, v any) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	if err := durable.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	return nil
}
