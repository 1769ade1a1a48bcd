// Package hub holds the two pure functions at the centre of Spoke: Merge folds
// what systems say into a golden record, Route derives from the record what
// each connected system should hold. Neither reads a clock, a store or the
// network.
package hub
