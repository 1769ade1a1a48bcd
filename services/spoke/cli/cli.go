// Package cli is the command line of Spoke.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// commands is the grammar.
type commands struct {
	Up      upCmd      `cmd:"" help:"Run every service in this process, on an embedded NATS."`
	Run     runCmd     `cmd:"" help:"Run one service against a NATS server."`
	Check   checkCmd   `cmd:"" help:"Check the configuration, the flows, and that each vendor takes the credentials."`
	Connect connectCmd `cmd:"" help:"Let Spoke into an account of a vendor that asks a person for consent."`
	Status  statusCmd  `cmd:"" help:"Show what each connection is doing and what waits."`
	Pause   pauseCmd   `cmd:"" help:"Make no calls to a connection's vendor until it is resumed."`
	Resume  resumeCmd  `cmd:"" help:"Go on with a connection that was paused."`
	Record  recordCmd  `cmd:"" help:"Explain a golden record: each field's owner, source and time, and each system's state."`
	Map     mapCmd     `cmd:"" help:"Work on flows."`

	Backfill backfillCmd `cmd:"" help:"Read what a connection holds already."`

	Quarantine quarantineCmd `cmd:"" help:"Mend what could not be done."`
	Replay     replayCmd     `cmd:"" help:"Go once more over events that were heard: into merge, or forced to one connection."`
	Resync     resyncCmd     `cmd:"" help:"Assert anew what a connection should hold."`
	Diff       diffCmd       `cmd:"" help:"Read a vendor back and list where it differs."`

	Version kong.VersionFlag `help:"Print the version."`
}

// session is what every command gets.
type session struct {
	ctx context.Context
	out io.Writer
	log *slog.Logger
}

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // it ran and something is wrong
	exitUsage  = 2 // it could not run
)

// errFailed means that everything was printed already.
var errFailed = errors.New("failed")

// Main runs a command until it ends or is interrupted, and returns the exit
// status.
func Main(args []string, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return MainContext(ctx, args, out, errw)
}

// MainContext is Main, interrupted by a context.
func MainContext(ctx context.Context, args []string, out, errw io.Writer) int {
	var c commands
	status, exited := exitOK, false
	parser, err := kong.New(&c, kong.Name("spoke"), kong.Writers(out, errw),
		kong.Description("Keeps ERP, accounting, payments and warehouse in step with HubSpot."),
		kong.Vars{"version": catalog.Version}, kong.UsageOnError(),
		kong.Exit(func(code int) { status, exited = code, true }))
	if err != nil {
		_, _ = fmt.Fprintln(errw, err)
		return exitUsage
	}
	k, err := parser.Parse(args)
	if exited {
		return status
	}
	if err != nil {
		_, _ = fmt.Fprintln(errw, "spoke:", err)
		return exitUsage
	}
	log, err := telemetry.NewLogger(errw, os.Getenv)
	if err != nil {
		_, _ = fmt.Fprintln(errw, "spoke:", err)
		return exitUsage
	}
	if err := k.Run(&session{ctx: ctx, out: out, log: log}); err != nil {
		if !errors.Is(err, errFailed) {
			_, _ = fmt.Fprintln(errw, "spoke:", err)
		}
		return exitFailed
	}
	return exitOK
}

// printf writes to the command's output.
func (s *session) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format, args...) }

// json writes a value as indented JSON.
func (s *session) json(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
