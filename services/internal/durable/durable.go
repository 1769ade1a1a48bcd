// Package durable writes files that a power cut leaves whole.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile puts a file in the place of another, or of none. When it returns
// nil, the file is on disk under its name; a crash or power cut before that
// leaves the old one, or none. Its permissions are perm, whatever the umask.
// The folder must exist.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err // names the path
	}
	_, err = temp.Write(data)
	// A name without its bytes would be an empty file: they are synced first.
	err = errors.Join(err, temp.Chmod(perm), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // only the temporary copy
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // the folder of a file that the caller names
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
