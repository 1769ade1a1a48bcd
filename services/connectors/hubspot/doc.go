// Package hubspot connects HubSpot, the hub: it checks and reads HubSpot's
// webhooks, reads companies, contacts, products and deals with their lines
// into snapshots, and writes back to the records what other systems made of
// them. It creates and deletes no records. Retry, rate budget, ledger and
// tracing are put around it by the sink runtime.
package hubspot

import "time"

// What is fixed about HubSpot's API. Each figure stands here only.
const (
	// KindName is the vendor's name in configurations and event types.
	KindName = "hubspot"

	// Version is the dated version of every path. From 2026-09 on HubSpot
	// applies the portal's own rules, such as required properties, to writes.
	Version = "2026-09"

	// DefaultURL is production; developer test accounts have the same host.
	DefaultURL = "https://api.hubapi.com"

	// appURL begins the links to records for people.
	appURL = "https://app.hubspot.com/contacts/"

	// MaxSkew is how far the time in a v3 signature may be from ours, either
	// way. HubSpot names it for the past; a time in the future is no better.
	MaxSkew = 5 * time.Minute

	// MaxNotifications bounds one delivery. HubSpot sends up to 100.
	MaxNotifications = 1000

	// objectBatch is HubSpot's limit of one batch of records,
	// associationBatch that of one batch read of associations.
	objectBatch      = 100
	associationBatch = 1000

	// maxPages bounds how far the associations of one record are followed. A
	// page holds hundreds.
	maxPages = 50

	// perSecond and burst together stay within the 190 calls in any ten
	// seconds of a private app at Professional: 10 × 17 + 20.
	perSecond  = 17
	burst      = 20
	concurrent = 10

	// lockedWait is the pause HubSpot asks for after 423.
	lockedWait = 2 * time.Second
	// The windows of HubSpot's rate limits. A spent daily one is looked at
	// again every hour, since a raised limit counts at once.
	secondWait    = time.Second
	tenSecondWait = 10 * time.Second
	dailyWait     = time.Hour

	// readLag is how long a record may stay invisible to reads after the
	// webhook about it. See reader.gone.
	readLag = time.Minute

	// pipelineTTL is how long the stages of pipelines are believed.
	pipelineTTL = 10 * time.Minute

	// ownPrefix begins the properties that Spoke writes and no one else.
	ownPrefix = "spoke_"
	// ownGroup is the property group they stand in.
	ownGroup = "spoke"
)

// The types of associations that mark a record's primary company, by the
// number HubSpot gives them.
const (
	dealToPrimaryCompany    = 5
	contactToPrimaryCompany = 1
)
