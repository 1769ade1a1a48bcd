// Package checkpoint remembers how far the reading of each feed has come, in a
// JetStream key-value bucket that is only ever written with compare-and-set
// (rule 3). Whoever reads a feed has a turn at its checkpoint; one that has
// lost its turn can't move the checkpoint any more. The command line asks for
// backfills, and sees their progress, in the same place.
package checkpoint
