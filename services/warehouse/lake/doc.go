// Package lake keeps warehouse rows as Parquet files on a local disk, one
// folder per table and day:
//
//	<root>/deal_log/date=2026-11-23/<first>-<last>-<stream>.parquet
//
// Every row stands there exactly once, whatever kills the process: the
// position in the WAREHOUSE stream becomes durable in the same step as the
// rows. That step is the rename of a commit record, which names the files of
// the commit and the last sequence they cover:
//
//  1. The files are written to .lake/staging and synced.
//  2. The commit record is written and synced under a temporary name, then
//     renamed to .lake/commits/<stream>/<last>.pending.json. From here on the
//     commit holds.
//  3. The files are renamed into place, and the record to <last>.done.json.
//
// Open finishes a pending commit and removes staged files that no record
// names. A failed Commit leaves the Lake unusable; opening it again is the
// only way on, and the one way that is tested (an fsync that failed can't be
// asked again).
//
// A reader may see the files of one commit appear one after the other. It
// never sees part of a file.
package lake
