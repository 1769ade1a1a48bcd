package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on hosts without zone files too

	"github.com/goccy/go-yaml"

	"github.com/spoke-sync/spoke/events"
)

// Mode is how Spoke hears of the changes to an entity at one connection.
type Mode struct {
	// Off hears of nothing: what the vendor says is left out.
	Off bool
	// Every polls at an interval and leaves out webhooks; 0 does not.
	Every time.Duration
	// Nightly polls once a day at a time of day in Zone and leaves out
	// webhooks; nil does not.
	Nightly *TimeOfDay
}

// TimeOfDay is a minute of the day in a time zone.
type TimeOfDay struct {
	Hour, Minute int
	Zone         *time.Location
}

// RealTime is the default: webhooks, and the feed's own interval to heal what
// they missed or where the vendor has none.
func (m Mode) RealTime() bool { return m == Mode{} }

// minEvery keeps polls from eating up the rate budget.
const minEvery = 10 * time.Second

const modeForm = `want realtime, off, "every 5m", or "nightly 02:30" with a time zone such as Europe/Berlin behind it`

// UnmarshalYAML reads "realtime", "off", "every 5m" or "nightly 02:30 Zone".
func (m *Mode) UnmarshalYAML(b []byte) error {
	var text string
	if err := yaml.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%s", modeForm)
	}
	parsed, err := ParseMode(text)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// ParseMode reads a mode as it is written in the configuration.
func ParseMode(text string) (Mode, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case word == "realtime" && rest == "":
		return Mode{}, nil
	case (word == "off" || word == "false") && rest == "": // YAML 1.1 reads off as false
		return Mode{Off: true}, nil
	case word == "every":
		d, err := time.ParseDuration(rest)
		if err != nil || d < minEvery || d > 24*time.Hour {
			return Mode{}, fmt.Errorf("every %s: want a duration from %s to 24h, such as 5m", rest, minEvery)
		}
		return Mode{Every: d}, nil
	case word == "nightly":
		return parseNightly(rest)
	}
	return Mode{}, fmt.Errorf("%q: %s", text, modeForm)
}

func parseNightly(text string) (Mode, error) {
	clock, zone, _ := strings.Cut(text, " ")
	at, err := time.Parse("15:04", clock)
	if err != nil {
		return Mode{}, fmt.Errorf("nightly %s: want a time of day such as 02:30", text)
	}
	where := time.UTC
	if zone = strings.TrimSpace(zone); zone != "" {
		if where, err = time.LoadLocation(zone); err != nil {
			return Mode{}, fmt.Errorf("nightly %s: %q is no time zone: want a name such as Europe/Berlin", text, zone)
		}
	}
	return Mode{Nightly: &TimeOfDay{Hour: at.Hour(), Minute: at.Minute(), Zone: where}}, nil
}

// defaultMode is the key of the entities that are not named.
const defaultMode events.Entity = "default"

// SyncMode returns how changes to an entity are heard of at a connection.
func (c *Config) SyncMode(connection string, e events.Entity) Mode {
	sync := c.Connections[connection].Sync
	if m, ok := sync[e]; ok {
		return m
	}
	return sync[defaultMode]
}

// validateSync refuses a mode that the connection has no means for.
func (c *Config) validateSync(name string, report func(string, ...any)) {
	conn := c.Connections[name]
	var known []events.Entity
	polled := map[events.Entity]bool{}
	for _, o := range conn.kind.Objects {
		known = append(known, o.Entity)
		polled[o.Entity] = polled[o.Entity] || conn.kind.Polled(o.Name)
	}
	for _, e := range slices.Sorted(maps.Keys(conn.Sync)) {
		m := conn.Sync[e]
		switch {
		case e == defaultMode:
		case !slices.Contains(known, e):
			report("connections.%s.sync.%s: %s has no such entity: one of %s", name, e, conn.kind.Title, joinSorted(known))
		case (m.Every > 0 || m.Nightly != nil) && !polled[e]:
			report("connections.%s.sync.%s: %s can't be polled for it: want realtime or off", name, e, conn.kind.Title)
		}
	}
}

func joinSorted(entities []events.Entity) string {
	var names []string
	for _, e := range entities {
		names = append(names, string(e))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
