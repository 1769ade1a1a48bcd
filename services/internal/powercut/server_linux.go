package powercut

import (
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// server answers the kernel. What it does not implement (links to names,
// extended attributes, allocation ahead) the kernel refuses or does without.
type server struct {
	fuse.RawFileSystem
	disk *Disk
	// nodes by the id that the kernel knows; disk.mu guards it.
	nodes map[uint64]*node
}

func newServer(d *Disk) *server {
	return &server{
		RawFileSystem: fuse.NewDefaultRawFileSystem(), disk: d,
		nodes: map[uint64]*node{d.root.id: d.root},
	}
}

// forever is how long the kernel may remember: every change goes through it.
const forever = time.Hour

// read does an operation that changes nothing.
func (s *server) read(id uint64, do func(n *node) syscall.Errno) fuse.Status {
	return s.do(id, false, do)
}

// change does an operation that a power cut may come before.
func (s *server) change(id uint64, do func(n *node) syscall.Errno) fuse.Status {
	return s.do(id, true, do)
}

func (s *server) do(id uint64, change bool, do func(n *node) syscall.Errno) fuse.Status {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if e := s.disk.step(change); e != 0 {
		return fuse.Status(e)
	}
	n, ok := s.nodes[id]
	if !ok {
		return fuse.Status(syscall.ESTALE)
	}
	return fuse.Status(do(n))
}

// sync makes a node durable. Its bytes don't count before the disk's latency
// is over.
func (s *server) sync(id uint64) fuse.Status {
	if status := s.read(id, func(*node) syscall.Errno { return 0 }); !status.Ok() {
		return status
	}
	if s.disk.latency > 0 {
		<-time.After(s.disk.latency)
	}
	return s.change(id, func(n *node) syscall.Errno {
		n.sync()
		return 0
	})
}

// tell notes that the kernel knows a node, and describes it.
func (s *server) tell(n *node, out *fuse.EntryOut) {
	s.nodes[n.id] = n
	n.lookups++
	out.NodeId, out.Generation = n.id, 1
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
	describe(n, &out.Attr)
}

func describe(n *node, out *fuse.Attr) {
	out.Ino, out.Mode, out.Nlink = n.id, n.mode, max(n.links, 1)
	if n.isDir() {
		out.Nlink = 2
	}
	out.Size, out.Blksize = uint64(len(n.data)), 4096
	out.Blocks = (out.Size + 511) / 512
	out.SetTimes(&n.changed, &n.changed, &n.changed)
	out.Uid, out.Gid = uint32(syscall.Geteuid()), uint32(syscall.Getegid())
}

func (s *server) String() string { return "powercut" }

func (s *server) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return s.read(h.NodeId, func(n *node) syscall.Errno {
		child, ok := n.names[name]
		if !ok {
			return syscall.ENOENT
		}
		s.tell(child, out)
		return 0
	})
}

func (s *server) Forget(id, lookups uint64) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if n, ok := s.nodes[id]; ok && n != s.disk.root {
		if n.lookups -= min(lookups, n.lookups); n.lookups == 0 {
			delete(s.nodes, id)
		}
	}
}

func (s *server) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return s.read(in.NodeId, func(n *node) syscall.Errno {
		out.SetTimeout(forever)
		describe(n, &out.Attr)
		return 0
	})
}

func (s *server) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return s.change(in.NodeId, func(n *node) syscall.Errno {
		if size, ok := in.GetSize(); ok {
			n.resize(int(size))
		}
		if mode, ok := in.GetMode(); ok {
			n.mode = n.mode&syscall.S_IFMT | mode&0o7777
		}
		if at, ok := in.GetMTime(); ok {
			n.changed = at
		}
		out.SetTimeout(forever)
		describe(n, &out.Attr)
		return 0
	})
}

func (s *server) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.change(in.NodeId, func(n *node) syscall.Errno {
		return s.make(n, name, syscall.S_IFDIR|in.Mode&0o7777, out)
	})
}

// make puts a new node into a directory.
func (s *server) make(dir *node, name string, mode uint32, out *fuse.EntryOut) syscall.Errno {
	if _, ok := dir.names[name]; ok {
		return syscall.EEXIST
	}
	child := s.disk.newNode(mode)
	dir.add(name, child)
	s.tell(child, out)
	return 0
}

// How files are opened: the kernel keeps no copy of their bytes, so that each
// write is known here before it returns.
const openFlags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH

func (s *server) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	out.OpenFlags = openFlags
	return s.change(in.NodeId, func(n *node) syscall.Errno {
		return s.make(n, name, syscall.S_IFREG|in.Mode&0o7777, &out.EntryOut)
	})
}

func (s *server) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	out.OpenFlags = openFlags
	if in.Flags&syscall.O_TRUNC == 0 {
		return s.read(in.NodeId, func(*node) syscall.Errno { return 0 })
	}
	return s.change(in.NodeId, func(n *node) syscall.Errno {
		n.resize(0)
		return 0
	})
}

func (s *server) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	read := 0
	status := s.read(in.NodeId, func(n *node) syscall.Errno {
		if at := int(in.Offset); at < len(n.data) {
			read = copy(buf, n.data[at:])
		}
		return 0
	})
	return fuse.ReadResultData(buf[:read]), status
}

// Write implements fuse.RawFileSystem. A write through O_SYNC or O_DSYNC is
// answered when it is durable.
func (s *server) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	status := s.change(in.NodeId, func(n *node) syscall.Errno {
		n.write(data, int(in.Offset))
		return 0
	})
	if status.Ok() && in.Flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0 {
		status = s.sync(in.NodeId)
	}
	if !status.Ok() {
		return 0, status
	}
	return uint32(len(data)), fuse.OK
}

func (s *server) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status { return s.sync(in.NodeId) }

func (s *server) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status { return s.sync(in.NodeId) }

func (s *server) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return s.change(h.NodeId, func(n *node) syscall.Errno { return n.remove(name, false) })
}

func (s *server) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return s.change(h.NodeId, func(n *node) syscall.Errno { return n.remove(name, true) })
}

// renameNoReplace is RENAME_NOREPLACE of renameat2(2).
const renameNoReplace = 1

func (s *server) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	return s.change(in.NodeId, func(n *node) syscall.Errno {
		dir, ok := s.nodes[in.Newdir]
		switch {
		case !ok:
			return syscall.ESTALE
		case in.Flags&^renameNoReplace != 0:
			return syscall.EINVAL
		case in.Flags&renameNoReplace != 0 && dir.names[to] != nil:
			return syscall.EEXIST
		}
		return n.rename(from, dir, to)
	})
}

func (s *server) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.change(in.NodeId, func(n *node) syscall.Errno {
		file, ok := s.nodes[in.Oldnodeid]
		switch {
		case !ok:
			return syscall.ESTALE
		case n.names[name] != nil:
			return syscall.EEXIST
		}
		n.names[name] = file
		file.links++
		s.tell(file, out)
		return 0
	})
}

func (s *server) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	return s.read(in.NodeId, func(*node) syscall.Errno { return 0 })
}

// ReadDir implements fuse.RawFileSystem. The offset of an entry is the id of
// its node, so that names that come and go meanwhile neither hide nor repeat
// another one.
func (s *server) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return s.read(in.NodeId, func(n *node) syscall.Errno {
		names := slices.SortedFunc(maps.Keys(n.names), func(a, b string) int {
			return int(n.names[a].id) - int(n.names[b].id)
		})
		for _, name := range names {
			child := n.names[name]
			if child.id > in.Offset && !out.AddDirEntry(fuse.DirEntry{Name: name, Mode: child.mode, Ino: child.id, Off: child.id}) {
				break
			}
		}
		return 0
	})
}

// size is what the disk says that it has, and has free.
const size = 16 << 30

func (s *server) StatFs(_ <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	return s.read(h.NodeId, func(*node) syscall.Errno {
		const block = 4096
		*out = fuse.StatfsOut{
			Blocks: size / block, Bfree: size / block, Bavail: size / block, Files: 1 << 20, Ffree: 1 << 20,
			Bsize: block, Frsize: block, NameLen: 255,
		}
		return 0
	})
}
