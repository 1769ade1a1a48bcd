//go:build race

package feeder_test

// million is a tenth of one where every access to memory is watched.
const million = 100_000
