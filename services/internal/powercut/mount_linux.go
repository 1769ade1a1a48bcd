package powercut

import (
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // go-fuse takes no other logger
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// patience bounds mounting and unmounting.
const patience = 20 * time.Second

// mounted is a disk that is mounted.
type mounted struct {
	path   string
	served chan struct{} // closed when the kernel asks nothing more
	guard  *guard        // nil in the probe
}

// mount mounts a disk at its path, without the help of fusermount.
func mount(d *Disk) (*mounted, error) {
	g, err := watch(d.path)
	if err != nil {
		return nil, err
	}
	m, err := serve(d)
	if err != nil {
		return nil, errors.Join(err, g.end())
	}
	m.guard = g
	return m, nil
}

// serve mounts a disk and answers for it.
func serve(d *Disk) (*mounted, error) {
	srv, err := fuse.NewServer(newServer(d), d.path, &fuse.MountOptions{
		DirectMountStrict: true, Name: "powercut", FsName: "powercut", MaxWrite: 1 << 20,
		DisableXAttrs: true, DisableReadDirPlus: true, Logger: log.New(io.Discard, "", 0),
	})
	if err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	m := &mounted{path: d.path, served: make(chan struct{})}
	go func() {
		defer close(m.served)
		srv.Serve()
	}()
	ready := make(chan error, 1)
	go func() { ready <- srv.WaitMount() }()
	select {
	case err = <-ready:
	case <-time.After(patience):
		err = fmt.Errorf("the kernel does not answer within %s", patience)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mount: %w", err), m.unmount())
	}
	return m, nil
}

// unmount takes the disk away, also from those who still have files open.
func (m *mounted) unmount() error {
	err := syscall.Unmount(m.path, 0)
	if err != nil {
		err = detach(m.path)
	}
	select {
	case <-m.served:
	case <-time.After(patience):
		err = errors.Join(err, fmt.Errorf("the kernel does not let go within %s", patience))
	}
	if m.guard != nil {
		err = errors.Join(err, m.guard.end())
	}
	if err != nil {
		return fmt.Errorf("powercut: unmount %s: %w", m.path, err)
	}
	return nil
}

// detach ends what is under way on a mount, and takes it out of the tree
// although it is in use.
func detach(path string) error {
	_ = syscall.Unmount(path, syscall.MNT_FORCE) // ends all calls, even where it says that the mount is busy
	if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil // EINVAL: nothing is mounted there any more
}
