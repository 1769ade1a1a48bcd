// Package feed moves warehouse rows: Rows takes messages of HUB and EVENTS
// and publishes their rows on WAREHOUSE, Loader takes WAREHOUSE and fills a
// lake. Both may be stopped at any point and lose or repeat nothing.
//
// It knows no NATS: the streams are behind the small interfaces here.
package feed
