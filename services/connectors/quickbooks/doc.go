// Package quickbooks connects QuickBooks Online: it reads Intuit's webhooks,
// change log and objects into changes, and makes a company hold customers,
// items, estimates, invoices, receipts, payments, credits and refunds. It knows
// the accounting API and its OAuth tokens; retry, rate budget, ledger and
// tracing are put around it by the sink runtime.
package quickbooks

import "time"

// The version and the limits of the accounting API. Each is Intuit's own
// figure and stands here only.
const (
	// Name is the kind as the configuration writes it.
	Name = "quickbooks"

	// minorVersion is the oldest one that Intuit still answers; lower ones
	// have behaved like it since August 2025.
	minorVersion = "75"

	productionURL = "https://quickbooks.api.intuit.com"
	sandboxURL    = "https://sandbox-quickbooks.api.intuit.com"
	tokenURL      = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer" //nolint:gosec // an address, no credential
	authorizeURL  = "https://appcenter.intuit.com/connect/oauth2"
	appURL        = "https://app.qbo.intuit.com/app"
	sandboxAppURL = "https://app.sandbox.qbo.intuit.com/app"

	// perSecond and burst keep below 500 calls a minute for a company and
	// below 10 in any second, concurrent below 10 calls at a time.
	perSecond  = 8
	burst      = 2
	concurrent = 10

	// batchesPerSecond keeps below 40 batches a minute.
	batchesPerSecond = 0.6

	// throttleWait is what Intuit asks for after a 429; it promises no
	// Retry-After.
	throttleWait = time.Minute

	// requestMemory is how long a request id is trusted to stop a second
	// effect. Intuit does not document it; beyond this an object is looked up
	// before it is created.
	requestMemory = 20 * time.Hour

	// maxRequestID is the longest request id.
	maxRequestID = 50

	// pageSize is the largest answer of a query, readBatch how many ids fit
	// in the address of one, maxPages how far a look-up walks.
	pageSize  = 1000
	readBatch = 100
	maxPages  = 50

	// Lengths of fields, in characters.
	maxDocNumber  = 21
	maxRefNum     = 21
	maxItemName   = 100
	maxName       = 500
	maxUnitPlaces = 7 // decimals of a unit price
)
