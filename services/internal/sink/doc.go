// Package sink makes the systems behind the connections hold what HUB says
// they should. It is the runtime around every connector.Target: it pulls
// desired documents, puts the vendor's ids in the place of references, keeps
// the ledger, decides what follows from each error, holds what lacks a
// dependency, and tells the outcome.
//
// The order is always the same (rule 4): ledger says "sending", the call, the
// ledger says what came of it, the outcome event, the ack. A crash between
// any two is repaired by the next delivery.
package sink
