// Package powercut is a file system for tests that, when its power is cut,
// keeps what was synced and nothing else. Programs use it like any other,
// through FUSE.
//
// What survives is the least that Linux file systems promise. Bytes, and the
// size of a file, survive from an fsync or fdatasync of the file on, or if they
// were written through O_SYNC or O_DSYNC. Names that a directory gained, lost
// or had renamed survive from an fsync of the directory on. As on ext4, XFS and
// Btrfs, an fsync of a new file or directory keeps the name that it was made
// under too, and those of the new directories above it. A rename from one
// directory into another is kept or undone as a whole.
package powercut

import (
	"maps"
	"sync"
	"syscall"
	"time"
)

// Disk is a file system that is in use. Its methods may be called at any time.
type Disk struct {
	path string // where it is mounted
	// latency is how long a sync takes.
	latency time.Duration

	mu     sync.Mutex
	root   *node
	nextID uint64
	dead   chan struct{} // closed by the cut
	cut    bool
	// left is how many changes are made until the power is cut; negative for
	// no end.
	left int
}

func newDisk() *Disk {
	d := &Disk{left: -1, dead: make(chan struct{})}
	d.root = d.newNode(syscall.S_IFDIR | 0o755)
	return d
}

// Path returns the folder that is lost when the power is cut.
func (d *Disk) Path() string { return d.path }

// Cut cuts the power: every later operation fails with EIO.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
}

// end cuts the power. The caller holds the lock.
func (d *Disk) end() {
	if !d.cut {
		d.cut = true
		close(d.dead)
	}
}

// Dead returns a channel that is closed when the power is cut.
func (d *Disk) Dead() <-chan struct{} { return d.dead }

// CutAfter cuts the power after n more changes. Creating, writing, syncing,
// renaming and removing are changes.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// Sync makes all that there is durable, as sync(1) does.
func (d *Disk) Sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root.syncAll()
}

// step is called before each operation.
func (d *Disk) step(change bool) syscall.Errno {
	if change && d.left >= 0 {
		if d.left == 0 {
			d.end()
		}
		d.left--
	}
	if d.cut {
		return syscall.EIO
	}
	return 0
}

// node is a file or a directory.
type node struct {
	id      uint64
	mode    uint32 // with its type
	links   uint32
	changed time.Time
	// lookups is how often the kernel was told of the node, and has not said
	// that it forgot it.
	lookups uint64

	// data of a file, and the part that survives.
	data, keptData []byte
	// dirtyFrom and dirtyTo bound the bytes that may differ between the two.
	dirtyFrom, dirtyTo int

	// names of a directory, and those that survive.
	names, keptNames map[string]*node
	// shared are the directories from or to which something was renamed since
	// the last sync: they survive together.
	shared map[*node]struct{}

	// parent is the directory in which it was made under the name born.
	parent *node
	born   string
}

func (d *Disk) newNode(mode uint32) *node {
	d.nextID++
	n := &node{id: d.nextID, mode: mode, changed: time.Now()}
	if n.isDir() {
		n.names, n.keptNames = map[string]*node{}, map[string]*node{}
	}
	return n
}

func (n *node) isDir() bool { return n.mode&syscall.S_IFMT == syscall.S_IFDIR }

// add puts a new node into a directory.
func (n *node) add(name string, child *node) {
	n.names[name] = child
	child.links++
	child.parent, child.born = n, name
	n.changed = time.Now()
}

// write puts bytes into a file, which grows if need be.
func (n *node) write(b []byte, at int) {
	if end := at + len(b); end > len(n.data) {
		n.resize(end)
	}
	copy(n.data[at:], b)
	n.dirty(at, at+len(b))
}

// resize cuts a file off, or fills it with zeros.
func (n *node) resize(size int) {
	was := len(n.data)
	if size <= was {
		clear(n.data[size:]) // what grows again is zero
		n.data = n.data[:size]
	} else {
		n.data = append(n.data, make([]byte, size-was)...)
	}
	n.dirty(min(was, size), max(was, size))
}

func (n *node) dirty(from, to int) {
	if n.dirtyFrom == n.dirtyTo {
		n.dirtyFrom, n.dirtyTo = from, to
	}
	n.dirtyFrom, n.dirtyTo = min(n.dirtyFrom, from), max(n.dirtyTo, to)
	n.changed = time.Now()
}

// sync makes a node durable, with the name that it was made under.
func (n *node) sync() {
	if n.isDir() {
		n.syncNames()
	} else {
		n.syncData()
	}
	n.syncBirth()
}

func (n *node) syncData() {
	size := len(n.data)
	if size < len(n.keptData) {
		n.keptData = n.keptData[:size]
	} else {
		n.keptData = append(n.keptData, make([]byte, size-len(n.keptData))...)
	}
	if from, to := n.dirtyFrom, min(n.dirtyTo, size); from < to {
		copy(n.keptData[from:to], n.data[from:to])
	}
	n.dirtyFrom, n.dirtyTo = 0, 0
}

func (n *node) syncNames() {
	n.keptNames = maps.Clone(n.names)
	shared := n.shared
	n.shared = nil
	for other := range shared {
		other.syncNames()
		other.syncBirth()
	}
}

// syncBirth keeps the name under which a node was made, unless it has another
// one by now, and does the same for all directories above.
func (n *node) syncBirth() {
	p := n.parent
	if p == nil {
		return
	}
	if p.names[n.born] == n {
		p.keptNames[n.born] = n
	}
	p.syncBirth()
}

func (n *node) syncAll() {
	n.sync()
	for _, child := range n.names {
		child.syncAll()
	}
}

// rename moves the entry from of n to the entry name of dir, over what is there.
func (n *node) rename(from string, dir *node, name string) syscall.Errno {
	moved, old := n.names[from], dir.names[name]
	switch {
	case moved == nil:
		return syscall.ENOENT
	case old == moved:
		return 0
	case old != nil && old.isDir() && !moved.isDir():
		return syscall.EISDIR
	case old != nil && !old.isDir() && moved.isDir():
		return syscall.ENOTDIR
	case old != nil && len(old.names) > 0:
		return syscall.ENOTEMPTY
	case old != nil:
		old.links--
	}
	delete(n.names, from)
	dir.names[name] = moved
	n.changed, dir.changed = time.Now(), time.Now()
	if n != dir {
		n.share(dir)
		dir.share(n)
	}
	return 0
}

func (n *node) share(other *node) {
	if n.shared == nil {
		n.shared = map[*node]struct{}{}
	}
	n.shared[other] = struct{}{}
}

// remove takes a name away; the file lives on for as long as it is open.
func (n *node) remove(name string, dir bool) syscall.Errno {
	gone := n.names[name]
	switch {
	case gone == nil:
		return syscall.ENOENT
	case gone.isDir() && !dir:
		return syscall.EISDIR
	case !gone.isDir() && dir:
		return syscall.ENOTDIR
	case len(gone.names) > 0:
		return syscall.ENOTEMPTY
	}
	delete(n.names, name)
	gone.links--
	n.changed = time.Now()
	return 0
}
