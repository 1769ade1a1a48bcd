// Package report turns the event stream of `go test -json` into what a person wants to read: a line
// per package, the whole output of whatever failed, and at the end totals with every skipped test
// named. It starts nothing and decides nothing about exit codes.
package report

// Event is one line of `go test -json`. Only the fields that matter here are decoded; unknown
// actions (attr, artifacts, bench) are ignored.
type Event struct {
	Action      string
	Package     string
	ImportPath  string // set instead of Package on build-output and build-fail
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string // on a package's fail: the import path whose build-output explains it
}
