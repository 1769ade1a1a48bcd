// Command hubspot-sink runs Spoke's hubspot-sink service against a NATS server.
package main

import (
	"os"

	"github.com/spoke-sync/spoke/services/catalog"
)

func main() { os.Exit(catalog.Main("hubspot-sink")) }
