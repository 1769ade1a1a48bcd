// Command warehouse-sink runs Spoke's warehouse-sink service against a NATS server.
package main

import (
	"os"

	"github.com/spoke-sync/spoke/services/catalog"
)

func main() { os.Exit(catalog.Main("warehouse-sink")) }
