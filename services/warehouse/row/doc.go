// Package row turns what Spoke's streams hold into warehouse rows: one row per
// observed version of a golden record, one per write outcome and one per
// event. Everything here is a pure function of the message and its place in
// its stream, so that a message that is read twice makes the same row twice,
// with the same id.
//
// It knows the tables, their columns and the CloudEvent in which a row
// travels. It neither reads nor writes a stream or a file.
package row
