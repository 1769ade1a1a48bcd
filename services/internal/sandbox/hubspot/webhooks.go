package hubspotbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// notification is one element of a delivery.
type notification map[string]any

// maxNotifications is the size of a delivery.
const maxNotifications = 100

// sign puts HubSpot's signatures on a delivery: v3, which covers the call and
// its time, and v1, which covers the body alone.
func (b *Box) sign(r *http.Request, body []byte) {
	at := b.opts.Now()
	r.Header.Set("X-HubSpot-Request-Timestamp", strconv.FormatInt(at.UnixMilli(), 10))
	r.Header.Set("X-HubSpot-Signature-v3", SignV3(b.opts.ClientSecret, r.Method, r.URL.String(), body, at))
	r.Header.Set("X-HubSpot-Signature-Version", "v1")
	r.Header.Set("X-HubSpot-Signature", SignV1(b.opts.ClientSecret, body))
}

// SignV3 returns the v3 signature of a call.
func SignV3(secret, method, uri string, body []byte, at time.Time) string {
	decoded := strings.NewReplacer("%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$",
		"%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";").Replace(uri)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(method + decoded + string(body) + strconv.FormatInt(at.UnixMilli(), 10)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// SignV1 returns the v1 signature of a body.
func SignV1(secret string, body []byte) string {
	sum := sha256.Sum256(append([]byte(secret), body...))
	return hex.EncodeToString(sum[:])
}

// SignV2 returns the v2 signature of a call, as workflows send it.
func SignV2(secret, method, uri string, body []byte) string {
	sum := sha256.Sum256([]byte(secret + method + uri + string(body)))
	return hex.EncodeToString(sum[:])
}

// notify queues a notification; what is queued within the Gather time goes
// out together. The caller holds the lock.
func (b *Box) notify(t *objectType, happened string, at time.Time, extra notification) {
	if b.closed {
		return
	}
	if !b.quiet {
		b.journal(t, happened, at, extra)
	}
	if b.opts.WebhookURL == "" {
		return
	}
	about := t.name
	n := notification{}
	if b.opts.Generic {
		about, n["objectTypeId"] = "object", t.typeID
	}
	for k, v := range extra {
		if b.opts.Generic || (k != "fromObjectTypeId" && k != "toObjectTypeId") {
			n[k] = v
		}
	}
	n["eventId"] = b.state.NextEvent
	b.state.NextEvent++
	n["subscriptionType"] = about + "." + happened
	n["subscriptionId"] = subscription(t.name, happened, n["propertyName"])
	n["portalId"], n["appId"], n["attemptNumber"] = b.opts.PortalID, b.opts.AppID, 0
	n["occurredAt"] = at.UnixMilli()
	n["changeSource"], n["sourceId"] = "CRM_UI", "userId:1"
	b.pending = append(b.pending, n)
	if b.timer == nil {
		b.timer = time.AfterFunc(b.opts.Gather, b.deliver)
	} else if len(b.pending) == 1 {
		b.timer.Reset(b.opts.Gather)
	}
}

// subscription is the id of a subscription: one for each type and property.
func subscription(object, happened string, property any) uint32 {
	h := fnv.New32a()
	name, _ := property.(string)
	_, _ = h.Write([]byte(object + "." + happened + "." + name)) // never fails
	return h.Sum32()
}

// deliver sends what has gathered. Whoever comes after it finds all of that
// queued.
func (b *Box) deliver() {
	b.mu.Lock()
	defer b.mu.Unlock()
	pending := b.pending
	b.pending = nil
	for batch := range slices.Chunk(pending, maxNotifications) {
		body, err := json.Marshal(batch)
		if err != nil {
			b.opts.Log.Error("notifications not encoded", "error", err)
			continue
		}
		b.hook.Send(body)
	}
}

// Flush sends what has gathered at once, and waits until everything has been
// accepted or ctx ends.
func (b *Box) Flush(ctx context.Context) error {
	b.deliver()
	return b.hook.Flush(ctx)
}

func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64) // ids are numbers
	return n
}

func (b *Box) notifyCreated(t *objectType, o *object) {
	b.notify(t, "creation", o.Created, notification{"objectId": number(o.ID), "changeFlag": "NEW"})
	// The journal says a creation in one event; webhooks add one per property.
	b.quiet = true
	b.notifyChanged(t, o, sortedKeys(o.Properties))
	b.quiet = false
}

// notifyChanged sends a notification per property. No portal subscribes to
// what Spoke itself writes.
func (b *Box) notifyChanged(t *objectType, o *object, properties []string) {
	for _, name := range properties {
		if strings.HasPrefix(name, "spoke_") {
			continue
		}
		b.notify(t, "propertyChange", o.Modified, notification{
			"objectId": number(o.ID), "propertyName": name, "propertyValue": o.Properties[name],
		})
	}
}

func (b *Box) notifyDeleted(t *objectType, o *object) {
	b.notify(t, "deletion", o.Archived, notification{"objectId": number(o.ID)})
}

func (b *Box) notifyRestored(t *objectType, o *object) {
	b.notify(t, "restore", b.opts.Now(), notification{"objectId": number(o.ID)})
}

// notifyMerged names the new record where the merge made one.
func (b *Box) notifyMerged(t *objectType, stays, goes, survivor *object) {
	n := notification{
		"objectId": number(survivor.ID), "primaryObjectId": number(stays.ID), "mergedObjectIds": []int64{number(goes.ID)},
		"newObjectId": nil, "numberOfPropertiesMoved": len(goes.Properties),
	}
	if survivor != stays {
		n["newObjectId"] = number(survivor.ID)
	}
	b.notify(t, "merge", survivor.Modified, n)
}

// notifyLinked sends one notification from either side.
func (b *Box) notifyLinked(from *objectType, id string, to *objectType, toID string, primary, removed bool) {
	b.notifySide(from, id, to, toID, primary, removed)
	b.notifySide(to, toID, from, id, primary, removed)
}

func (b *Box) notifySide(from *objectType, id string, to *objectType, toID string, primary, removed bool) {
	p, _ := b.pairOf(from, to)
	n := notification{
		"associationType": strings.ToUpper(from.name + "_to_" + to.name), "fromObjectId": number(id), "toObjectId": number(toID),
		"associationRemoved": removed, "isPrimaryAssociation": primary,
		"fromObjectTypeId": from.typeID, "toObjectTypeId": to.typeID,
	}
	if b.opts.Generic {
		n["associationTypeId"], n["associationCategory"] = p.unlabeled, "HUBSPOT_DEFINED"
	}
	b.notify(from, "associationChange", b.opts.Now(), n)
}
