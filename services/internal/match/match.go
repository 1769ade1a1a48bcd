// Package match tells which objects of different systems may be one: by the
// normalised values of fields that name things, such as a web domain or a tax
// number. It is pure; the index over records is kept by transform.
package match

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
)

// Rules name, per entity and in order, the fields by which its objects are
// matched. The first field that finds anything decides. Spoke's own key, where
// an object carries it, always comes first.
type Rules map[events.Entity][]string

// Default returns the rules of a configuration that has none. They keep to
// fields that two things hardly share.
func Default() Rules {
	return Rules{
		events.EntityCompany: {"taxId", "domain"},
		events.EntityContact: {"email"},
		events.EntityProduct: {"sku"},
	}
}

// Over returns the default rules, with those of r in the place of theirs. An
// empty list turns an entity's off.
func (r Rules) Over(defaults Rules) Rules {
	all := maps.Clone(defaults)
	maps.Copy(all, r)
	return all
}

// Check reports every rule that can't be indexed, as "match.<entity>: …".
func (r Rules) Check() (problems []string) {
	for _, e := range slices.Sorted(maps.Keys(r)) {
		if !e.Known() {
			problems = append(problems, fmt.Sprintf("match.%s: no such entity", e))
			continue
		}
		seen := map[string]bool{}
		for _, field := range r[e] {
			f, known := e.Fields()[field]
			switch {
			case seen[field]:
				problems = append(problems, fmt.Sprintf("match.%s: %s stands there twice", e, field))
			case strings.HasPrefix(field, customPrefix) && field != customPrefix:
			case !known:
				problems = append(problems, fmt.Sprintf("match.%s: %s has no field %q (a custom one is written custom.<name>)", e, e, field))
			case f.Kind != events.KindString || f.Format != "":
				problems = append(problems, fmt.Sprintf("match.%s: %s can't be indexed: want a field with a text that names the %s, such as an email or a number", e, field, e))
			}
			seen[field] = true
		}
	}
	return problems
}

const customPrefix = "custom."

// Token stands for a normalised value. It does not tell the value, which may
// be personal data.
type Token struct {
	Rule string // the field
	Hash string
}

// Tokens returns the tokens of an object, in the order of the rules.
func (r Rules) Tokens(e events.Entity, value func(field string) json.RawMessage) []Token {
	var tokens []Token
	for _, field := range r[e] {
		if n := Normal(field, value(field)); n != "" {
			sum := sha256.Sum256([]byte(n))
			tokens = append(tokens, Token{Rule: field, Hash: base64.RawURLEncoding.EncodeToString(sum[:hashBytes])})
		}
	}
	return tokens
}

// hashBytes are enough that two values of one tenant never meet.
const hashBytes = 15

// Normal returns the form of a value in which it is compared, or "" for one
// that names nothing.
func Normal(field string, raw json.RawMessage) string {
	var text string
	if events.IsNull(raw) {
		return ""
	}
	if json.Unmarshal(raw, &text) != nil {
		var number json.Number
		if json.Unmarshal(raw, &number) != nil {
			return "" // a list or an object
		}
		text = number.String()
	}
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	switch field {
	case "email":
		if i := strings.LastIndexByte(text, '@'); i < 1 || i == len(text)-1 || strings.Contains(text, " ") {
			return ""
		}
	case "domain":
		return domain(text)
	case "taxId":
		return digits(text, minTaxDigits)
	case "phone":
		return digits(text, minPhoneDigits)
	}
	return text
}

// Shorter numbers are placeholders or extensions.
const (
	minTaxDigits   = 6
	minPhoneDigits = 7
)

// digits leaves country codes and separators out: systems write "DE 123456789",
// "DE123456789" and "123456789" for one number. A number that is one digit
// repeated is a placeholder.
func digits(text string, least int) string {
	d := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
	if len(d) < least || strings.Trim(d, d[:1]) == "" {
		return ""
	}
	return d
}

// domain leaves out what is no part of the name, and names that many companies
// share.
func domain(text string) string {
	if _, after, ok := strings.Cut(text, "://"); ok {
		text = after
	}
	if i := strings.IndexAny(text, "/:?#"); i >= 0 {
		text = text[:i]
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "www."), ".")
	if !strings.Contains(text, ".") || strings.ContainsAny(text, " @") || shared[text] {
		return ""
	}
	return text
}

// shared are domains of mail and page providers, by which no company is known.
var shared = func() map[string]bool {
	all := map[string]bool{}
	for d := range strings.FieldsSeq(`gmail.com googlemail.com google.com outlook.com hotmail.com live.com msn.com
		yahoo.com ymail.com aol.com icloud.com me.com mac.com proton.me protonmail.com gmx.de gmx.net gmx.com web.de
		t-online.de freenet.de mail.com mail.ru yandex.ru yandex.com qq.com 163.com 126.com orange.fr free.fr
		laposte.net wanadoo.fr libero.it comcast.net verizon.net att.net btinternet.com zoho.com fastmail.com
		facebook.com linkedin.com instagram.com example.com wixsite.com wordpress.com blogspot.com sites.google.com
		github.io myshopify.com`) {
		all[d] = true
	}
	return all
}()
