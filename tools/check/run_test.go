package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spoke-sync/spoke/tools/check/report"
)

func TestTestArgs(t *testing.T) {
	tests := map[string]struct {
		args []string
		ci   string
		want []string
	}{
		"everything": {want: []string{"test", "-json", "-timeout", timeout, "work"}},
		"ci":         {ci: "true", want: []string{"test", "-json", "-timeout", timeout, "-count=1", "work"}},
		"some": {
			args: []string{"-short", "-run", "Webhook"},
			want: []string{"test", "-json", "-timeout", timeout, "-short", "-run", "Webhook", "work"},
		},
		"operations": {
			args: []string{"-operations"},
			want: []string{"test", "-json", "-timeout", timeout, connectors},
		},
		"race": {
			args: []string{"-race", "./a/...,./b ./c"},
			want: []string{"test", "-json", "-timeout", timeout, "-race", "./a/...", "./b", "./c"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CI", test.ci)
			o, err := parse(test.args, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.testArgs(); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"./services/..."}, {"-nope"}} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	skipped := report.Summary{Packages: 1, Passed: 1, Skipped: []report.Skipped{{Test: "TestX"}}}
	fuse := report.Skipped{Test: "TestY", Reason: "no file system can be mounted through FUSE here: permission denied"}
	excused := report.Summary{Packages: 1, Passed: 1, Skipped: []report.Skipped{fuse}}
	both := report.Summary{Packages: 1, Passed: 1, Skipped: []report.Skipped{fuse, {Test: "TestX", Reason: "no FUSE"}}}
	tests := map[string]struct {
		ctx     context.Context
		ci      bool
		only    bool // the operations
		summary report.Summary
		err     error
		want    bool
	}{
		"all passed":           {summary: report.Summary{Packages: 1, Passed: 1}, want: true},
		"a failure":            {summary: report.Summary{Packages: 1, Failed: 1}, err: errors.New("exit status 1")},
		"only the go command":  {summary: report.Summary{Packages: 1, Passed: 1}, err: errors.New("exit status 1")},
		"nothing ran":          {},
		"a skip at home":       {summary: skipped, want: true},
		"a skip in CI":         {summary: skipped, ci: true},
		"no FUSE in CI":        {summary: excused, ci: true, want: true},
		"no FUSE and a skip":   {summary: both, ci: true},
		"interrupted in time":  {ctx: interrupted, summary: report.Summary{Packages: 1, Passed: 1}},
		"no operations":        {only: true, summary: report.Summary{Packages: 1, Passed: 1}},
		"an invalid operation": {summary: said(t, `"operation":"GET /x","invalid":true`)},
		"a rejected request":   {summary: said(t, `"mock":"m","requests":1,"rejected":1`)},
		"a needless exception": {summary: said(t, `"exception":"x"`)},
		"a used exception":     {only: true, summary: said(t, `"exception":"x","used":true`), want: true},
		"no failure, no skips": {ci: true, summary: report.Summary{Packages: 2, Passed: 1}, want: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			if got, err := judge(ctx, options{ci: test.ci, operations: test.only}, test.summary, test.err); got != test.want {
				t.Errorf("got %t, %v; want %t", got, err, test.want)
			}
		})
	}
}

// said is the summary of a package that passes and says this of a call.
func said(t *testing.T, text string) report.Summary {
	t.Helper()
	stream := `{"Action":"output","Package":"p","Output":` + strconv.Quote(`spec: {"connector":"c",`+text+"}\n") + `}
{"Action":"pass","Package":"p"}`
	summary, err := report.NewReader(io.Discard, "p").Read(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	return summary
}
