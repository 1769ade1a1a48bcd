// Package endurance backfills a large HubSpot portal with Spoke's services as
// processes of their own, kills ingest on the way, and counts what came of it:
// every object once in HUB, the calls it took, and the memory.
package endurance
