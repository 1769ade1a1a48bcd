// Package events is the contract between Spoke's services and everyone around
// them: the CloudEvents that travel on EVENTS, the golden Record and the
// Desired documents that stand in HUB, the Outcome of a write, the canonical
// entities, and the subjects all of these are published on.
//
// It imports nothing of Spoke. A program outside Spoke that publishes events
// or reads the streams needs this package and nothing else.
package events
