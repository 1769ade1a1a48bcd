// Package crash ends the process at a named point of its work, as a power cut
// or kill -9 would, where a test asks for it. Nothing happens unless the
// environment says so when the process starts.
package crash

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Env names the environment variable: "<point>:<n>" ends the process when it
// comes to the point for the n-th time.
const Env = "SPOKE_CRASH"

// The points. Each lies between two things that can't be one: what happens when
// the second is missing is what a test wants to know.
const (
	IngestReceived     = "ingest.received"     // verified and decoded, not stored
	IngestStored       = "ingest.stored"       // stored, the caller not told
	TransformComputed  = "transform.computed"  // merged and routed, not committed
	TransformCommitted = "transform.committed" // committed, not acked
	SinkReserved       = "sink.reserved"       // the ledger says "sending", no call made
	SinkCalled         = "sink.called"         // the call made, the ledger not told
	SinkNoted          = "sink.noted"          // the ledger told, the outcome not published
	SinkTold           = "sink.told"           // the outcome published, the document not acked
	WarehousePublished = "warehouse.published" // rows published, their messages not acked
)

// Points returns the points of a service.
func Points(service string) []string {
	switch {
	case service == "ingest":
		return []string{IngestReceived, IngestStored}
	case service == "transform":
		return []string{TransformComputed, TransformCommitted}
	case service == "warehouse-sink":
		return []string{WarehousePublished}
	case strings.HasSuffix(service, "-sink"):
		return []string{SinkReserved, SinkCalled, SinkNoted, SinkTold}
	}
	return nil
}

// armed is the one point that the process ends at.
type armed struct {
	point string
	left  atomic.Int64
}

var plan = parse(os.Getenv(Env))

func parse(text string) *armed {
	if text == "" {
		return nil
	}
	point, count, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		fmt.Fprintf(os.Stderr, "%s=%q: want <point>:<n>; it is left out\n", Env, text)
		return nil
	}
	a := &armed{point: point}
	a.left.Store(n)
	return a
}

// Point ends the process if this is where and when it was asked to end.
func Point(name string) {
	if plan == nil || plan.point != name || plan.left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}
