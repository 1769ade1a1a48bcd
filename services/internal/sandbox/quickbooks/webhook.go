package quickbooksbox

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"
)

// notify queues a webhook about one object.
func (b *Box) notify(entity, id, operation string) {
	b.hook.Send(b.Notification(entity, id, operation, ""))
}

// Notification returns the body of a webhook in the format of the options.
// operation is Create, Update, Delete, Merge, Void or Emailed; mergedID is
// what a merge ended.
func (b *Box) Notification(entity, id, operation, mergedID string) []byte {
	body, err := json.Marshal(b.notification(entity, id, operation, mergedID))
	if err != nil {
		return nil
	}
	return body
}

func (b *Box) notification(entity, id, operation, mergedID string) any {
	now := b.opts.Now().UTC()
	if b.opts.OldWebhooks {
		e := map[string]any{"name": entity, "id": id, "operation": operation, "lastUpdated": now.Format("2006-01-02T15:04:05.000Z")}
		if mergedID != "" {
			e["deletedId"] = mergedID
		}
		return map[string]any{"eventNotifications": []any{map[string]any{
			"realmId": b.opts.RealmID, "dataChangeEvent": map[string]any{"entities": []any{e}},
		}}}
	}
	data := map[string]any{}
	if mergedID != "" {
		data["deletedid"] = mergedID
	}
	return []any{map[string]any{
		"specversion": "1.0", "id": rand.Text(), "source": "intuit.c2FuZGJveA==",
		"type":            "qbo." + strings.ToLower(entity) + "." + participle(operation) + ".v1",
		"datacontenttype": "application/json", "time": now.Format(time.RFC3339Nano),
		"intuitentityid": id, "intuitaccountid": b.opts.RealmID, "data": data,
	}}
}

// participle is the operation as the new format writes it.
func participle(operation string) string {
	switch op := strings.ToLower(operation); op {
	case "emailed":
		return op
	case "void":
		return "voided"
	default:
		return strings.TrimSuffix(op, "e") + "ed"
	}
}
