// Package hubspot connects HubSpot, the hub: it checks and reads HubSpot's
// webhooks and journal, reads records with their lines into snapshots, one by
// one, by what changed, or all there are, and makes and writes records with
// their associations and line items. It deletes only what it made. Retry, rate
// budget, ledger and tracing are put around it by the sink runtime.
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

	// JournalVersion is the dated version of the webhooks journal's paths.
	JournalVersion = "2026-03"

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
	// keyProperty holds Spoke's key in the records that Spoke made. Its values
	// are unique, so that a record is found and written by it.
	keyProperty = "spoke_key"
	// associatedPrefix begins the fields that set associations.
	associatedPrefix = "associated_"
	// linesField sets the line items.
	linesField = "line_items"
)

// The categories of association types.
const (
	userDefined    = "USER_DEFINED"
	hubspotDefined = "HUBSPOT_DEFINED"
)

// The types of associations that mark a record's primary company, by the
// number HubSpot gives them.
const (
	dealToPrimaryCompany    = 5
	contactToPrimaryCompany = 1
)
