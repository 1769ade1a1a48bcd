package hub

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
)

// Policy says whose word counts for each field.
type Policy struct {
	// Hub is the connection whose word on deletion counts.
	Hub      string
	entities map[events.Entity]map[string]string // entity → field ("" for all others) → owner
}

// Newest is the rule by which the latest change wins, whoever made it.
const Newest = "newest"

// Rules is a policy as it is written: per entity, per field name, either
// "newest" or "owner: <connection>". The name "default" stands for every
// field that is not named.
type Rules map[events.Entity]map[string]string

// ownerPrefix starts a rule that names a source of truth.
const ownerPrefix = "owner:"

// NewPolicy checks the rules against the canonical fields and the names of
// those who may speak.
func NewPolicy(rules Rules, hub string, speakers []string) (Policy, error) {
	p := Policy{Hub: hub, entities: map[events.Entity]map[string]string{}}
	var problems []string
	for _, entity := range slices.Sorted(maps.Keys(rules)) {
		if !entity.Known() {
			problems = append(problems, fmt.Sprintf("policy.%s: no such entity", entity))
			continue
		}
		owners := map[string]string{}
		for _, field := range slices.Sorted(maps.Keys(rules[entity])) {
			owner, problem := parseRule(entity, field, rules[entity][field], speakers)
			if problem != "" {
				problems = append(problems, problem)
				continue
			}
			if field == "default" {
				field = ""
			}
			owners[field] = owner
		}
		p.entities[entity] = owners
	}
	if len(problems) > 0 {
		return Policy{}, fmt.Errorf("%s", strings.Join(problems, "\n"))
	}
	return p, nil
}

func parseRule(entity events.Entity, field, rule string, speakers []string) (owner, problem string) {
	at := fmt.Sprintf("policy.%s.%s", entity, field)
	_, known := entity.Fields()[field]
	if field != "default" && !known && !strings.HasPrefix(field, "custom.") {
		return "", fmt.Sprintf("%s: %s has no such field (a custom one is written custom.<name>)", at, entity)
	}
	if rule == Newest {
		return "", ""
	}
	owner, ok := strings.CutPrefix(rule, ownerPrefix)
	owner = strings.TrimSpace(owner)
	switch {
	case !ok:
		return "", fmt.Sprintf("%s: %q: want newest or owner: <connection>", at, rule)
	case !slices.Contains(speakers, owner):
		return "", fmt.Sprintf("%s: no connection or upstream is named %q", at, owner)
	}
	return owner, ""
}

// Owner returns the source of truth of a field, or "" where the newest wins.
func (p Policy) Owner(e events.Entity, field string) string {
	owners := p.entities[e]
	if o, ok := owners[field]; ok {
		return o
	}
	return owners[""]
}
