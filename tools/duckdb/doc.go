// Package duckdb holds tests that read a lake with a real DuckDB. It is a
// module of its own, outside the workspace, because DuckDB needs cgo and
// brings 60 MB of libraries that Spoke itself does without.
//
// Run them with: GOWORK=off go -C tools/duckdb test ./...
package duckdb
