// Command netsuite-sink runs Spoke's netsuite-sink service against a NATS server.
package main

import (
	"os"

	"github.com/spoke-sync/spoke/services/catalog"
)

func main() { os.Exit(catalog.Main("netsuite-sink")) }
