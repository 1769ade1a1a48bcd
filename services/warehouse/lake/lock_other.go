//go:build !unix

package lake

import (
	"errors"
	"os"
)

// lock refuses: without flock two loaders could write one lake.
func lock(string) (*os.File, error) {
	return nil, errors.New("a lake needs a Unix system, for its lock")
}
