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
	// Hub is the connection whose word on deletion and merging counts.
	Hub      string
	entities map[events.Entity]map[string]Rule // entity → field ("" for all others)
	mute     map[speaker]bool
}

type speaker struct {
	connection string
	entity     events.Entity
}

// RuleKind is how the value of a field is chosen among what the sources say.
type RuleKind uint8

// The kinds of rules.
const (
	Newest RuleKind = iota // the latest change wins, whoever made it
	Owner                  // the owner's word wins, however old; the newest while it has none
	First                  // the first value that anyone said stays
	Union                  // a list of what any source has, as a set
)

// Rule is the merge rule of a field.
type Rule struct {
	Kind RuleKind
	// Owner is the source of truth of a rule of that kind.
	Owner string
}

// ruleNames are the rules that are one word.
var ruleNames = map[string]RuleKind{"newest": Newest, "first": First, "union": Union}

// ownerPrefix starts a rule that names a source of truth.
const ownerPrefix = "owner:"

// ruleForm is what a rule looks like.
const ruleForm = "newest, first, union or owner: <connection>"

// ParseRule reads "newest", "first", "union" or "owner: <connection>".
func ParseRule(text string) (Rule, error) {
	if owner, ok := strings.CutPrefix(text, ownerPrefix); ok && strings.TrimSpace(owner) != "" {
		return Rule{Kind: Owner, Owner: strings.TrimSpace(owner)}, nil
	}
	kind, ok := ruleNames[text]
	if !ok {
		return Rule{}, fmt.Errorf("%q: want %s", text, ruleForm)
	}
	return Rule{Kind: kind}, nil
}

// String returns the rule as it is written.
func (r Rule) String() string {
	if r.Kind == Owner {
		return ownerPrefix + " " + r.Owner
	}
	for name, kind := range ruleNames {
		if kind == r.Kind {
			return name
		}
	}
	return "newest"
}

// Rules is a policy as it is written: per entity and field name a rule as
// ParseRule reads it. The name "default" stands for every field that is not
// named.
type Rules map[events.Entity]map[string]string

// defaultField is the name that stands for the fields that are not named.
const defaultField = "default"

// NewPolicy checks the rules against the canonical fields and the names of
// those who may speak.
func NewPolicy(rules Rules, hub string, speakers []string) (Policy, error) {
	p := Policy{Hub: hub, entities: map[events.Entity]map[string]Rule{}}
	var problems []string
	for _, entity := range slices.Sorted(maps.Keys(rules)) {
		if !entity.Known() {
			problems = append(problems, fmt.Sprintf("policy.%s: no such entity", entity))
			continue
		}
		parsed := map[string]Rule{}
		for _, field := range slices.Sorted(maps.Keys(rules[entity])) {
			rule, problem := checkRule(entity, field, rules[entity][field], speakers)
			if problem != "" {
				problems = append(problems, fmt.Sprintf("policy.%s.%s: %s", entity, field, problem))
				continue
			}
			if field == defaultField {
				field = ""
			}
			parsed[field] = rule
		}
		p.entities[entity] = parsed
	}
	if len(problems) > 0 {
		return Policy{}, fmt.Errorf("%s", strings.Join(problems, "\n"))
	}
	return p, nil
}

func checkRule(entity events.Entity, field, text string, speakers []string) (rule Rule, problem string) {
	_, known := entity.Fields()[field]
	custom := strings.HasPrefix(field, "custom.")
	if field != defaultField && !known && !custom {
		return Rule{}, fmt.Sprintf("%s has no such field (a custom one is written custom.<name>)", entity)
	}
	rule, err := ParseRule(text)
	switch {
	case err != nil:
		return Rule{}, err.Error()
	case rule.Kind == Owner && !slices.Contains(speakers, rule.Owner):
		return Rule{}, fmt.Sprintf("no connection or upstream is named %q", rule.Owner)
	case rule.Kind == Union && !custom:
		return Rule{}, "union is for lists of texts, which only custom fields hold"
	}
	return rule, ""
}

// Mute returns the policy with a speaker whose word on an entity does not
// count: it is only written to.
func (p Policy) Mute(connection string, e events.Entity) Policy {
	p.mute = maps.Clone(p.mute)
	if p.mute == nil {
		p.mute = map[speaker]bool{}
	}
	p.mute[speaker{connection, e}] = true
	return p
}

// Speaks reports whether a connection's word on an entity counts. What it
// holds is observed all the same.
func (p Policy) Speaks(connection string, e events.Entity) bool {
	return !p.mute[speaker{connection, e}]
}

// Rule returns the merge rule of a field.
func (p Policy) Rule(e events.Entity, field string) Rule {
	rules := p.entities[e]
	if r, ok := rules[field]; ok {
		return r
	}
	return rules[""]
}

// Owner returns the source of truth of a field, or "" where there is none.
func (p Policy) Owner(e events.Entity, field string) string { return p.Rule(e, field).Owner }
