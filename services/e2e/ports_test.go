package e2e_test

import (
	"math/rand/v2"
	"strconv"
)

// lowPort is a random port from 20000 to 31999. Linux gives outgoing
// connections ports from 32768 on, macOS from 49152 on.
func lowPort() string { return strconv.Itoa(20_000 + rand.IntN(12_000)) }
