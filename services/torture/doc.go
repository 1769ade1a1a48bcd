// Package torture runs Spoke as it runs in production, a process for each
// replica of each service and a NATS server, against the vendors' sandboxes, and
// breaks things: it kills processes at the worst points, cuts and slows
// connections, loses answers of calls that took effect, refuses calls, expires
// tokens, and repeats, shuffles and delays webhooks. Then it waits for quiet and
// compares every vendor with what it should hold, to the cent.
//
// A scenario is a run with one kind of trouble and much of it: lost answers,
// webhooks that repeat in random order, or events that can't be done.
//
// Everything that it does follows from a seed. What the machine makes of it (who
// is first) does not, so that a seed that failed fails again often, not always.
package torture
