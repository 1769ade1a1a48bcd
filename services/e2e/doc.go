// Package e2e tests Spoke as its users run it: every service as a process of
// its own against a NATS server that is one too, all of them in one process,
// and the command line. The vendors are the sandboxes of the demo, hosted by
// the test, so that what reached them can be counted.
//
// There is nothing here but tests. Those that need a real nats-server or
// Jaeger take it from $SPOKE_TEST_BIN, which make test sets.
package e2e
