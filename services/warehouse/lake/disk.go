package lake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// disk does every change of the file system, so that tests can stop before
// any of them, or forget what was not synced.
type disk struct {
	// before is called with the operation and its path; an error stops the
	// process where it stands. Nil outside tests.
	before func(op, path, to string) error
	// idle leaves fsync out where before stands in for it: a test that undoes
	// what was not synced needs the call, not the disk.
	idle bool
}

// The data team reads the files through the group.
const (
	fileMode = 0o640
	dirMode  = 0o750
)

// The operations.
const (
	opMkdir   = "mkdir"
	opCreate  = "create"
	opSync    = "sync"
	opRename  = "rename"
	opSyncDir = "syncdir"
	opRemove  = "remove"
)

func (d disk) step(op, path, to string) error {
	if d.before == nil {
		return nil
	}
	return d.before(op, path, to)
}

// mkdir makes a folder and all above it, and makes their entries durable.
func (d disk) mkdir(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := d.mkdir(parent); err != nil {
			return err
		}
	}
	if err := d.step(opMkdir, path, ""); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDir(parent)
}

// create writes a file and makes its content durable, but not yet its name.
func (d disk) create(path string, write func(io.Writer) error) (err error) {
	if err := d.step(opCreate, path, ""); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode) //nolint:gosec // below the configured root
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := d.step(opSync, path, ""); err != nil {
		return err
	}
	return d.fsync(f)
}

func (d disk) fsync(f *os.File) error {
	if d.idle {
		return nil
	}
	return f.Sync()
}

func (d disk) rename(from, to string) error {
	if err := d.step(opRename, from, to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// replace puts a whole file in the place of another, or of none, durably.
func (d disk) replace(path string, content []byte) error {
	temp := path + tempSuffix
	if err := d.create(temp, func(w io.Writer) error { _, err := w.Write(content); return err }); err != nil {
		return err
	}
	if err := d.rename(temp, path); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

// tempSuffix ends the name of a file that is not complete.
const tempSuffix = ".tmp"

// syncDir makes the names in a folder durable.
func (d disk) syncDir(path string) (err error) {
	if err := d.step(opSyncDir, path, ""); err != nil {
		return err
	}
	f, err := os.Open(path) //nolint:gosec // below the configured root
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return d.fsync(f)
}

func (d disk) remove(path string) error {
	if err := d.step(opRemove, path, ""); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
