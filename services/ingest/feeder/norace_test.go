//go:build !race

package feeder_test

const million = 1_000_000
