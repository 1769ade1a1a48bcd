// Package jet connects package feed to NATS JetStream: Source reads HUB or
// EVENTS through a durable, Publisher writes WAREHOUSE, Log reads WAREHOUSE
// from a position, Refuser writes QUARANTINE.
//
// What it promises about a row that is made again, because a publish, its
// answer or an ack was lost:
//
//   - Within the duplicate window of WAREHOUSE (ten minutes) the stream drops
//     it by its id, so it stands in the stream and in the files once.
//   - After a longer outage it can stand in the stream twice, and then in the
//     files twice, with the same _row_id and the same values. The views of
//     package lake show it once; who reads the files or the stream directly
//     takes one row per _row_id.
//
// A position per source stream in the lake would not help there: redelivery
// brings messages out of order, and dropping what is at or below a position
// would drop rows that never came. A row too many can be told by its id; a
// row too few can't be told at all.
package jet
