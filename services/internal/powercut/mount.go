package powercut

import (
	"testing"
	"time"
)

// Options of Mount.
type Options struct {
	// From is a folder whose files are on the disk from the start, durable;
	// such as what survived an earlier cut. Empty makes an empty disk.
	From string
	// Latency is how long a sync takes, so that what does not wait for one is
	// seen. Zero is at once.
	Latency time.Duration
}

// unable begins the reason of a skipped test.
const unable = "no file system can be mounted through FUSE here: "

// Require skips the test where nothing can be mounted.
func Require(t testing.TB) {
	t.Helper()
	if err := able(); err != nil {
		t.Skip(unable + err.Error())
	}
}

// Mount mounts a disk for the time of the test. It skips the test where
// nothing can be mounted.
func Mount(t testing.TB, o Options) *Disk {
	t.Helper()
	Require(t)
	d := newDisk()
	d.latency = o.Latency
	if o.From != "" {
		if err := d.load(o.From); err != nil {
			t.Fatal(err)
		}
	}
	d.path = t.TempDir()
	m, err := mount(d)
	if err != nil {
		t.Skip(unable + err.Error())
	}
	t.Cleanup(func() {
		d.Cut() // what still uses it must not keep it
		if err := m.unmount(); err != nil {
			t.Error(err)
		}
	})
	return d
}
