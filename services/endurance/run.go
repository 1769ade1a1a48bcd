package endurance

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/vault"
)

// Options of Run.
type Options struct {
	// Programs is the folder with spoke, ingest and transform, NATS the path of
	// a nats-server.
	Programs, NATS string
	// Dir is an empty folder for stores and logs.
	Dir string
	// Objects is how many the portal has.
	Objects int
	// Kills is how often ingest is killed, at even distances.
	Kills int
	// Say is told what happens.
	Say func(format string, args ...any)
}

// Report is what came of it.
type Report struct {
	Objects int `json:"objects"`
	Kills   int `json:"kills"`
	// InHub are the records that stand in HUB; Missing are objects without one,
	// Rewritten are records that were written more than once.
	InHub     int `json:"inHub"`
	Missing   int `json:"missing"`
	Rewritten int `json:"rewritten"`
	// Events are the messages on EVENTS: more than there are objects only by
	// pages that were read again after a kill.
	Events int `json:"events"`
	// Calls are those that the portal got, LeastCalls what listing it takes.
	Calls      int `json:"calls"`
	LeastCalls int `json:"leastCalls"`
	// PeakRSS is the most memory that ingest had in any of its lives, in bytes.
	PeakRSS uint64 `json:"peakRSS"`
	// Read is until the last page was stored, Merged until all of it was in HUB.
	Read   time.Duration `json:"read"`
	Merged time.Duration `json:"merged"`
}

// Extra is how many more calls than necessary were made, as a share.
func (r Report) Extra() float64 { return float64(r.Calls)/float64(r.LeastCalls) - 1 }

// Print writes the figures for people.
func (r Report) Print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%d objects, ingest killed %d times: %d in HUB, %d missing, %d written more than once\n", r.Objects, r.Kills, r.InHub, r.Missing, r.Rewritten)
	_, _ = fmt.Fprintf(w, "events stored: %d\n", r.Events)
	_, _ = fmt.Fprintf(w, "API calls: %d; least possible: %d; %.2f %% more\n", r.Calls, r.LeastCalls, 100*r.Extra())
	_, _ = fmt.Fprintf(w, "read in %s (%.0f/s), merged after %s (%.0f/s)\n", r.Read.Round(100*time.Millisecond), float64(r.Objects)/r.Read.Seconds(),
		r.Merged.Round(100*time.Millisecond), float64(r.Objects)/r.Merged.Seconds())
	_, _ = fmt.Fprintf(w, "peak RSS of ingest: %.1f MiB\n", float64(r.PeakRSS)/(1<<20))
}

// run is one run under way.
type run struct {
	Options

	portal *portal
	env    []string
	config string
	ingest string // base URL
	bus    *bus.Bus
	points *checkpoint.Store
	report Report
}

const (
	tenant     = "bulk"
	connection = "hubspot"
)

// Run backfills the portal and reports what came of it.
func Run(ctx context.Context, o Options) (Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends every process
	r := &run{Options: o, report: Report{Objects: o.Objects, Kills: o.Kills}}
	var err error
	if r.portal, err = newPortal(o.Objects); err != nil {
		return r.report, err
	}
	defer r.portal.close()
	server, err := r.startNATS(ctx)
	if err != nil {
		return r.report, err
	}
	defer server.kill()
	transform, ingest, err := r.startSpoke(ctx)
	if err != nil {
		return r.report, err
	}
	defer transform.kill()
	defer r.bus.Close()
	ingest, err = r.backfill(ctx, ingest)
	defer ingest.kill()
	if err != nil {
		return r.report, err
	}
	return r.report, r.count(ctx)
}

// startNATS starts a server that has everything on disk before it says so.
func (r *run) startNATS(ctx context.Context) (*process, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	monitor, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.Dir, "nats.conf")
	text := fmt.Sprintf("listen: %s\nhttp: %s\njetstream {\n  store_dir: %q\n  sync_interval: always\n}\n", address, monitor, filepath.Join(r.Dir, "nats"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p, err := start(ctx, r.Dir, r.NATS, nil, "-c", file)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	r.env = []string{
		"SPOKE_NATS_URL=nats://" + address, vault.EnvKey + "=" + base64.StdEncoding.EncodeToString(key), "SPOKE_LOG=warn",
	}
	return p, p.ready(ctx, "http://"+monitor+"/healthz?js-enabled-only=true")
}

func (r *run) startSpoke(ctx context.Context) (transform, ingest *process, err error) {
	listen, err := freeAddress(ctx)
	if err != nil {
		return nil, nil, err
	}
	metrics, err := freeAddress(ctx)
	if err != nil {
		return nil, nil, err
	}
	r.ingest, r.config = "http://"+listen, filepath.Join(r.Dir, "spoke.yaml")
	if err := os.WriteFile(r.config, []byte(r.portal.config(filepath.Join(r.Dir, "data"), listen)), 0o600); err != nil {
		return nil, nil, err
	}
	transform, err = start(ctx, r.Dir, filepath.Join(r.Programs, "transform"), append(r.env, "SPOKE_METRICS_LISTEN="+metrics), "-c", r.config)
	if err != nil {
		return nil, nil, err
	}
	if err := transform.ready(ctx, "http://"+metrics+"/readyz"); err != nil {
		return nil, nil, err
	}
	if ingest, err = r.startIngest(ctx); err != nil {
		return nil, nil, err
	}
	r.bus, err = bus.Connect(ctx, bus.Options{URL: strings.TrimPrefix(r.env[0], "SPOKE_NATS_URL="), Name: "endurance", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	r.points, err = checkpoint.Open(ctx, r.bus.JetStream(), tenant)
	return transform, ingest, err
}

func (r *run) startIngest(ctx context.Context) (*process, error) {
	p, err := start(ctx, r.Dir, filepath.Join(r.Programs, "ingest"), r.env, "-c", r.config)
	if err != nil {
		return nil, err
	}
	return p, p.ready(ctx, r.ingest+"/readyz")
}

// backfill asks for everything, kills ingest on the way, and waits for the end.
// It returns the ingest that lives in the end.
func (r *run) backfill(ctx context.Context, ingest *process) (*process, error) {
	r.portal.calls = r.portal.box.Counts().TotalCalls()
	began := time.Now()
	cmd := exec.CommandContext(ctx, filepath.Join(r.Programs, "spoke"), "backfill", connection, "company", "contact", "--no-follow", "-c", r.config) //nolint:gosec // a program that the caller built
	cmd.Env = append(os.Environ(), r.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return ingest, fmt.Errorf("spoke backfill: %w: %s", err, out)
	}
	for kill := 0; ; kill++ {
		goal, done := r.Objects*(kill+1)/(r.Kills+1), kill == r.Kills
		err := until(ctx, "the backfill", func() (bool, error) {
			r.report.PeakRSS = max(r.report.PeakRSS, ingest.peakRSS())
			objects, wanted, err := r.progress(ctx)
			return !wanted || !done && objects >= goal, err
		})
		if err != nil {
			return ingest, err
		}
		if done {
			break
		}
		ingest.kill()
		r.Say("killed ingest after %d objects, %.1f s", goal, time.Since(began).Seconds())
		next, err := r.startIngest(ctx)
		if err != nil {
			return ingest, err
		}
		ingest = next
	}
	r.report.Read = time.Since(began)
	r.report.Calls, r.report.LeastCalls = r.portal.box.Counts().TotalCalls()-r.portal.calls, r.portal.leastCalls()
	transform, err := r.bus.Puller(ctx, events.StreamEvents, bus.DurableTransform)
	if err != nil {
		return ingest, err
	}
	err = until(ctx, "transform", func() (bool, error) {
		waiting, unacked, err := transform.Pending(ctx)
		return waiting == 0 && unacked == 0, err
	})
	r.report.Merged = time.Since(began)
	r.report.PeakRSS = max(r.report.PeakRSS, ingest.peakRSS())
	return ingest, err
}

// progress is how many objects were read, and whether more are wanted.
func (r *run) progress(ctx context.Context) (objects int, wanted bool, err error) {
	for object := range r.portal.counts {
		st, _, err := r.points.Load(ctx, checkpoint.Key{Connection: connection, Feed: object, Work: checkpoint.Backfill})
		if err != nil {
			return 0, false, err
		}
		wanted = wanted || st.Request != nil
		switch {
		case st.Pass != nil:
			objects += st.Pass.Objects
		case st.Last != nil:
			objects += st.Last.Objects
		}
	}
	return objects, wanted, nil
}

// count looks at what stands in HUB and on EVENTS.
func (r *run) count(ctx context.Context) error {
	found := map[string]int{}
	for m, err := range r.bus.Scan(ctx, events.StreamHub, "record."+tenant+".>") {
		if err != nil {
			return err
		}
		var rec events.Record
		if err := json.Unmarshal(m.Data, &rec); err != nil {
			return err
		}
		r.report.InHub++
		found[string(rec.Key.Entity)]++
		if rec.Version != 1 {
			r.report.Rewritten++
		}
	}
	for object, n := range r.portal.counts {
		r.report.Missing += max(n-found[object], 0)
	}
	s, err := r.bus.JetStream().Stream(ctx, events.StreamEvents)
	if err != nil {
		return err
	}
	r.report.Events = int(s.CachedInfo().State.Msgs)
	return nil
}
