package config

import (
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Limits override the vendor's documented ones.
type Limits struct {
	Rate `yaml:",inline"`
	// PerDay is how many calls a calendar day may have.
	PerDay int `yaml:"per_day"`
	// Background is the share, up to 1, that backfills may use.
	Background float64 `yaml:"background"`
	// Pools override the limits of some of the calls, by the pool's name.
	Pools map[string]Rate `yaml:"pools"`
	// SharedAs names a budget that several connections to one account share.
	SharedAs string `yaml:"shared_as"`
}

// Rate is how many calls there may be.
type Rate struct {
	PerSecond  float64 `yaml:"per_second"`
	Burst      int     `yaml:"burst"`
	Concurrent int     `yaml:"concurrent"`
}

func (r Rate) over(perSecond *float64, burst, concurrent *int) {
	if r.PerSecond > 0 {
		*perSecond = r.PerSecond
	}
	if r.Burst > 0 {
		*burst = r.Burst
	}
	if r.Concurrent > 0 {
		*concurrent = r.Concurrent
	}
}

func (r Rate) negative() bool { return r.PerSecond < 0 || r.Burst < 0 || r.Concurrent < 0 }

// Limits returns the limits of a connection: the configured ones over the
// vendor's.
func (c *Config) Limits(connection string) connector.Limits {
	l, o := c.Kind(connection).Limits, c.Connections[connection].Limits
	o.over(&l.PerSecond, &l.Burst, &l.Concurrent)
	if o.PerDay > 0 {
		l.PerDay = o.PerDay
	}
	if o.Background > 0 {
		l.Background = o.Background
	}
	l.Pools = slices.Clone(l.Pools)
	for i := range l.Pools {
		p := &l.Pools[i]
		o.Pools[p.Name].over(&p.PerSecond, &p.Burst, &p.Concurrent)
	}
	return l
}

// Budget returns the name of the budget that a connection's calls count
// against, and the connection whose limits it has: the first of those that
// share it.
func (c *Config) Budget(connection string) (name, limits string) {
	shared := c.Connections[connection].Limits.SharedAs
	if shared == "" {
		return "connection/" + connection, connection
	}
	for _, other := range c.ConnectionNames() {
		if c.Connections[other].Limits.SharedAs == shared {
			return "shared/" + shared, other
		}
	}
	return "shared/" + shared, connection
}

// validateLimits finds overrides that mean nothing.
func (c *Config) validateLimits(connection string, report func(string, ...any)) {
	l, kind := c.Connections[connection].Limits, c.Kind(connection)
	if l.negative() || l.PerDay < 0 {
		report("connections.%s.limits: want no negative numbers; leave a key out for the vendor's own limit", connection)
	}
	if l.Background < 0 || l.Background > 1 {
		report("connections.%s.limits.background is %g: want a share between 0 and 1", connection, l.Background)
	}
	var pools []string
	for _, p := range kind.Limits.Pools {
		pools = append(pools, p.Name)
	}
	for name, r := range l.Pools {
		if !slices.Contains(pools, name) {
			report("connections.%s.limits.pools: %s has no pool %q: %s", connection, kind.Name, name, known(pools))
		}
		if r.negative() {
			report("connections.%s.limits.pools.%s: want no negative numbers", connection, name)
		}
	}
	if l.SharedAs == "" {
		return
	}
	if !name.MatchString(l.SharedAs) {
		report("connections.%s.limits.shared_as: %q is no name: want lower-case letters, digits and _", connection, l.SharedAs)
	}
	for _, other := range c.ConnectionNames() {
		if o := c.Connections[other]; other < connection && o.Limits.SharedAs == l.SharedAs && o.Kind != kind.Name {
			report("connections.%s.limits.shared_as: connection %s shares %q and is of another kind", connection, other, l.SharedAs)
		}
	}
}

func known(names []string) string {
	if len(names) == 0 {
		return "it has none"
	}
	return "one of " + strings.Join(names, ", ")
}
