// Package config reads spoke.yaml: strictly, with the line of every problem,
// and with all problems at once.
package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/match"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// Config is spoke.yaml.
type Config struct {
	// Tenant is a token in every subject: one company.
	Tenant string `yaml:"tenant"`
	// Data is the folder of the embedded NATS; relative to the working
	// directory.
	Data        string                `yaml:"data"`
	NATS        NATS                  `yaml:"nats"`
	HTTP        HTTP                  `yaml:"http"`
	Connections map[string]Connection `yaml:"connections"`
	Upstreams   map[string]Upstream   `yaml:"upstreams"`
	// Routing says, per kind of vendor with several connections and per entity,
	// which of them a record belongs to, for the default flows.
	Routing map[string]ast.Node `yaml:"routing"`
	// Flows are files or patterns, relative to the configuration file.
	Flows  []string                          `yaml:"flows"`
	Policy map[events.Entity]map[string]Rule `yaml:"policy"`
	// Match names, per entity and in order, the fields by which objects of
	// different systems are one; the defaults stand for the others.
	Match     match.Rules `yaml:"match"`
	Warehouse Warehouse   `yaml:"warehouse"`

	file  string
	text  []byte
	kinds []connector.Kind
}

// NATS says where JetStream is.
type NATS struct {
	// URL of a server or cluster; empty runs an embedded one.
	URL string `yaml:"url"`
	// Listen opens the embedded server for other processes, host:port.
	Listen      string `yaml:"listen"`
	Credentials string `yaml:"credentials"`
	// Replicas of every stream: 1, or 3 on a cluster.
	Replicas int `yaml:"replicas"`
}

// HTTP is the side that upstreams and vendors call.
type HTTP struct {
	Listen string `yaml:"listen"`
	// PublicURL is scheme and host as vendors call it; HubSpot signs it.
	PublicURL string `yaml:"public_url"`
	// Metrics is where services other than ingest serve /metrics and health.
	Metrics string `yaml:"metrics"`
}

// Connection is one account at a vendor.
type Connection struct {
	Kind string `yaml:"kind"`
	// Settings are the connector's own; see its documentation.
	Settings ast.Node `yaml:"settings"`
	// DefaultFlows is false to leave out the connector's default mappings.
	DefaultFlows *bool `yaml:"default_flows"`
	// Settle is how long a document must stand unchanged before it is written.
	Settle *time.Duration `yaml:"settle"`
	// HeldLimit is how long a document may wait for another object before
	// operators are told; 0 is an hour.
	HeldLimit time.Duration `yaml:"held_limit"`
	Limits    Limits        `yaml:"limits"`
	// Sync says per entity how changes are heard of; "default" stands for
	// those that are not named.
	Sync map[events.Entity]Mode `yaml:"sync"`
	// Direction says per entity which way it flows; "default" stands for those
	// that are not named, and without it is two-way.
	Direction map[events.Entity]Direction `yaml:"direction"`

	decoded any
	kind    connector.Kind // as the settings make it
}

// Upstream is a system that posts CloudEvents.
type Upstream struct {
	Token secret.Value `yaml:"token"`
}

// Warehouse says where rows go.
type Warehouse struct {
	// Dir is the lake's folder; empty means "lake" in Data.
	Dir string `yaml:"dir"`
	// FlushRows and FlushEvery bound how long rows wait for their file.
	FlushRows  int           `yaml:"flush_rows"`
	FlushEvery time.Duration `yaml:"flush_every"`
}

// Rule is the merge rule of a field: newest, first, union, or {owner: <connection>}.
type Rule string

// UnmarshalYAML reads both forms. What is neither is kept as it is, for
// MergePolicy to refuse with its place.
func (r *Rule) UnmarshalYAML(b []byte) error {
	var owner struct {
		Owner string `yaml:"owner"`
	}
	var text string
	switch {
	case yaml.UnmarshalWithOptions(b, &owner, yaml.Strict()) == nil && owner.Owner != "":
		*r = Rule(hub.Rule{Kind: hub.Owner, Owner: owner.Owner}.String())
	case yaml.Unmarshal(b, &text) == nil:
		*r = Rule(text)
	default:
		*r = Rule(strings.TrimSpace(string(b)))
	}
	return nil
}

// Default returns the configuration that a file is read over.
func Default() Config {
	return Config{
		Tenant: "main", Data: "spoke-data",
		NATS: NATS{Replicas: 1}, HTTP: HTTP{Listen: "127.0.0.1:8080", Metrics: "127.0.0.1:9090"},
		Warehouse: Warehouse{FlushRows: 50_000, FlushEvery: 30 * time.Second},
	}
}

// environment overrides where things are, for containers.
type environment struct {
	NATSURL string `env:"SPOKE_NATS_URL"`
	Listen  string `env:"SPOKE_LISTEN"`
	Metrics string `env:"SPOKE_METRICS_LISTEN"`
	Data    string `env:"SPOKE_DATA"`
}

// Load reads and checks a file. kinds are the vendors there are.
func Load(file string, kinds []connector.Kind) (*Config, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return Parse(file, text, kinds)
}

// Parse is Load for a text in memory; file is for messages and for relative
// flow patterns.
func Parse(file string, text []byte, kinds []connector.Kind) (*Config, error) {
	c := Default()
	c.file, c.text, c.kinds = file, text, kinds
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		return nil, c.yamlError(err)
	}
	var e environment
	if err := env.Parse(&e); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	override(&c.NATS.URL, e.NATSURL)
	override(&c.HTTP.Listen, e.Listen)
	override(&c.HTTP.Metrics, e.Metrics)
	override(&c.Data, e.Data)
	if c.Warehouse.Dir == "" {
		c.Warehouse.Dir = filepath.Join(c.Data, "lake")
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &c, nil
}

func override(to *string, v string) {
	if v != "" {
		*to = v
	}
}

func (c *Config) yamlError(err error) error {
	text := strings.TrimSpace(yaml.FormatError(err, false, false))
	m := position.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s: %s", c.file, text)
	}
	return fmt.Errorf("%s:%s:%s: %s%s", c.file, m[1], m[2], m[3], c.excerpt(m[1], m[2]))
}

// excerpt shows the key on a line, with a caret at the column. Values are left
// out, and the lines around it too: they may be secrets (rule 9).
func (c *Config) excerpt(line, column string) string {
	at, _ := strconv.Atoi(line) // digits, by position
	from, _ := strconv.Atoi(column)
	lines := strings.Split(string(c.text), "\n")
	if at < 1 || at > len(lines) || from < 1 {
		return ""
	}
	key, _, found := strings.Cut(lines[at-1], ":")
	if !found { // part of a value, or no YAML
		return ""
	}
	return "\n  " + key + ": …\n  " + strings.Repeat(" ", from-1) + "^"
}

// position is how the YAML library begins an error that it can place.
var position = regexp.MustCompile(`(?s)^\[(\d+):(\d+)\] (.*)$`)

// name is what a tenant, connection or upstream may be called: it becomes a
// token of subjects and part of a bucket's name.
var name = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

func (c *Config) validate() error {
	var problems []error
	report := func(format string, args ...any) {
		problem := fmt.Sprintf(format, args...)
		problems = append(problems, fmt.Errorf("%s: %s", c.place(problem), problem))
	}
	for _, n := range slices.Concat([]string{c.Tenant}, c.ConnectionNames(), slices.Sorted(maps.Keys(c.Upstreams))) {
		if !name.MatchString(n) {
			report("%q is no name: want lower-case letters, digits and _, beginning with a letter, at most 31", n)
		}
	}
	for _, n := range slices.Concat(c.ConnectionNames(), slices.Collect(maps.Keys(c.Upstreams))) {
		if n == events.Operators || n == hub.Internal {
			report("%q is a name of Spoke's own: choose another one", n)
		}
	}
	if c.NATS.Replicas != 1 && c.NATS.Replicas != 3 && c.NATS.Replicas != 5 {
		report("nats.replicas is %d: want 1, or 3 or 5 on a cluster", c.NATS.Replicas)
	}
	for n, u := range c.Upstreams {
		if _, twice := c.Connections[n]; twice {
			report("upstreams.%s: a connection has the same name", n)
		}
		if len(u.Token.Reveal()) < minToken {
			report("upstreams.%s.token: want at least %d characters", n, minToken)
		}
	}
	hubs := 0
	for _, n := range c.ConnectionNames() {
		conn := c.Connections[n]
		kind, ok := c.kind(conn.Kind)
		if !ok {
			report("connections.%s.kind: %q is unknown: one of %s", n, conn.Kind, strings.Join(c.kindNames(), ", "))
			continue
		}
		if kind.Hub {
			hubs++
		}
		if err := c.decodeSettings(n, kind); err != nil {
			problems = append(problems, err)
			continue
		}
		c.validateSync(n, report)
		c.validateDirection(n, report)
		if conn.HeldLimit < 0 {
			report("connections.%s.held_limit is %s: want a duration such as 1h", n, conn.HeldLimit)
		}
		c.validateLimits(n, report)
	}
	c.validateRouting(report)
	if hubs > 1 {
		report("connections: %d are hubs, want at most one", hubs)
	}
	if _, err := c.MergePolicy(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			report("%s", line)
		}
	}
	for _, problem := range c.Match.Check() {
		report("%s", problem)
	}
	return errors.Join(problems...)
}

// minToken keeps upstream tokens from being guessed.
const minToken = 16

func (c *Config) decodeSettings(name string, kind connector.Kind) error {
	conn := c.Connections[name]
	conn.decoded = kind.Settings()
	if conn.Settings != nil {
		if err := yaml.NodeToValue(conn.Settings, conn.decoded, yaml.Strict()); err != nil {
			return fmt.Errorf("connections.%s.settings: %w", name, c.yamlError(err))
		}
	}
	conn.kind = kind
	if kind.For != nil {
		conn.kind = kind.For(conn.decoded)
	}
	c.Connections[name] = conn
	return nil
}

func (c *Config) kind(name string) (connector.Kind, bool) {
	i := slices.IndexFunc(c.kinds, func(k connector.Kind) bool { return k.Name == name })
	if i < 0 {
		return connector.Kind{}, false
	}
	return c.kinds[i], true
}

func (c *Config) kindNames() []string {
	names := make([]string, len(c.kinds))
	for i, k := range c.kinds {
		names[i] = k.Name
	}
	return names
}
