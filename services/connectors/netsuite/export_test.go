package netsuite

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// ParseProblem and others are tested from outside.
var (
	ParseProblem = parseProblem
	FlowField    = flowField
	JobKey       = jobKey
)

// Texts are what of a problem reaches people.
func (p problem) Texts() []string { return []string{p.Text, p.Path, p.Code} }

// ParseRows reads an answer of SuiteQL.
func ParseRows(text []byte) (rows []row, total int, ok bool) {
	p, ok := parseRows(text)
	return p.rows, p.total, ok
}

// ChangeOf makes a change of one row.
func ChangeOf(object string, values map[string]any) (events.Change, error) {
	s := &Settings{Currency: "EUR"}
	src, ok := s.sources()[object]
	if !ok {
		src = s.sources()[typeInvoice]
	}
	r := &reader{settings: s, connection: "erp", log: slog.New(slog.DiscardHandler), pages: map[string]string{}}
	d := details{iso: map[string]string{scalar(values["id"]): "EUR"}, prices: map[string]price{scalar(values["id"]): {"EUR", scalar(values["cost"])}}}
	return r.change(src, row(values), stand{loc: time.UTC}, d)
}

// Conditions are the conditions that a token stands for.
func Conditions(token string) (string, bool) {
	var c cursor
	if json.Unmarshal([]byte(token), &c) != nil || !c.valid() {
		return "", false
	}
	return c.span("d") + c.behind("d", "id", "type"), true
}
