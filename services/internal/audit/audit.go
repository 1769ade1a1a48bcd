// Package audit notes what people do to a running Spoke: who, what, to which
// messages. The notes stand on the AUDIT stream for a year and can't be
// deleted.
package audit

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/nats-io/nuid"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// Log writes the notes of one person.
type Log struct {
	bus    *bus.Bus
	tenant string
	actor  string
	now    func() time.Time
}

// New returns the log of an actor; see Actor.
func New(b *bus.Bus, tenant, actor string) *Log {
	return &Log{bus: b, tenant: tenant, actor: actor, now: time.Now}
}

// Actor names the person at this machine: user@host.
func Actor() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// Note stores one action and returns once it is on disk. An action is noted
// before it is carried out: one that is not noted must not happen, and one that
// was noted may have failed.
func (l *Log) Note(ctx context.Context, a events.Action) error {
	a.Actor, a.At = l.actor, l.now().UTC()
	e := events.NewAction(nuid.Next(), l.tenant, a)
	m, err := bus.EncodeEvent(ctx, events.AuditSubject(l.tenant, a.Verb), e)
	if err != nil {
		return err
	}
	if _, err := l.bus.Publish(ctx, m); err != nil {
		return fmt.Errorf("audit: %s was not noted, and so not done: %w", a.Verb, err)
	}
	return nil
}
