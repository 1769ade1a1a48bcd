package events_test

import (
	"strings"
	"testing"

	"github.com/spoke-sync/spoke/events"
)

// FuzzSubjectTokens: what is read from a subject makes the same subject again.
func FuzzSubjectTokens(f *testing.F) {
	f.Add("record.main.deal.77")
	f.Add("record.main.deal.=OS_DvA")
	f.Add("a.=.b")
	f.Add("..")
	f.Fuzz(func(t *testing.T, subject string) {
		tokens, err := events.SubjectTokens(subject)
		if err != nil {
			return
		}
		for i := range tokens[1:] {
			tokens[i+1] = events.Token(tokens[i+1])
		}
		if again := strings.Join(tokens, "."); again != subject {
			t.Fatalf("%q becomes %q", subject, again)
		}
		_, _ = events.RecordKeyOf(subject) // must not panic
	})
}

// FuzzSubjects: whatever ids are, they come back from a subject as they were,
// and no filter matches another one's subjects.
func FuzzSubjects(f *testing.F) {
	f.Add("main", "77", "rule")
	f.Add("a.b", "*", ">")
	f.Add("", "ü", "custom.a b")
	f.Fuzz(func(t *testing.T, tenant, id, rule string) {
		k := events.Key{Entity: events.EntityCompany, ID: id}
		for subject, want := range map[string][]string{
			events.RecordSubject(tenant, k):           {"record", tenant, "company", id},
			events.MatchSubject(tenant, rule, "h", k): {"match", tenant, "company", rule, "h", id},
			events.LinkSubject(tenant, k, k):          {"link", tenant, "company", id, "company", id},
			events.HeldSubject(tenant, rule, events.Ref{Object: rule, Record: k}, rule, k): {
				"held", tenant, rule, rule, "company", id, rule, "company", id,
			},
		} {
			got, err := events.SubjectTokens(subject)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(got, "\x00") != strings.Join(want, "\x00") || len(got) != len(want) {
				t.Fatalf("%q is %q, want %q", subject, got, want)
			}
			if strings.ContainsAny(subject, "*> \t\r\n") {
				t.Fatalf("%q is no subject to publish on", subject)
			}
		}
	})
}
