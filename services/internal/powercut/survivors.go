package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Survivors writes what a power cut leaves into an empty folder. It may be
// called before the power is cut, too: of what a cut at this moment would leave.
func (d *Disk) Survivors(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.root.save(dir); err != nil {
		return fmt.Errorf("powercut: survivors: %w", err)
	}
	return nil
}

func (n *node) save(path string) error {
	perm := os.FileMode(n.mode & 0o777)
	if !n.isDir() {
		return os.WriteFile(path, n.keptData, perm)
	}
	if err := os.MkdirAll(path, perm|0o700); err != nil {
		return err
	}
	for name, child := range n.keptNames {
		if err := child.save(filepath.Join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

// load fills a new disk with a folder, all of it durable.
func (d *Disk) load(dir string) error {
	if err := d.fill(d.root, dir); err != nil {
		return fmt.Errorf("powercut: load: %w", err)
	}
	d.root.syncAll()
	return nil
}

func (d *Disk) fill(n *node, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil {
			return err
		}
		perm := uint32(info.Mode().Perm())
		switch {
		case e.IsDir():
			child := d.newNode(syscall.S_IFDIR | perm)
			n.add(e.Name(), child)
			err = d.fill(child, path)
		case info.Mode().IsRegular():
			child := d.newNode(syscall.S_IFREG | perm)
			n.add(e.Name(), child)
			var b []byte
			b, err = os.ReadFile(path) //nolint:gosec // a test's own folder
			child.write(b, 0)
		default:
			err = fmt.Errorf("%s is neither a file nor a folder", path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
