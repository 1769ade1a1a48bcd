package connectortest

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// mustFault fails unless err is a well-formed fault of one of the kinds; no
// kinds means any.
func (e *env) mustFault(t testing.TB, err error, kinds ...fault.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of kind %v", kinds)
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("error %q is no *fault.Error: it has no kind", err)
	}
	if len(kinds) > 0 && !slices.Contains(kinds, f.Kind) {
		t.Fatalf("error %q is %s, want one of %v", err, f.Kind, kinds)
	}
	if !strings.HasPrefix(f.Op, e.kind.Name+": ") {
		t.Errorf("error %q: Op %q does not begin with %q", err, f.Op, e.kind.Name+": ")
	}
	e.mustKeepSecrets(t, err.Error()+" "+f.Hint)
}

// mustKeepSecrets fails when a text for people holds a credential or an
// address from the documents.
func (e *env) mustKeepSecrets(t testing.TB, text string) {
	t.Helper()
	for _, s := range secrets(reflect.ValueOf(e.Settings)) {
		if strings.Contains(text, s) {
			t.Errorf("an error text holds a secret of the settings")
		}
	}
	for _, d := range e.Docs {
		for name, v := range d.Fields {
			if s, ok := v.(string); ok && strings.Contains(s, "@") && strings.Contains(text, s) {
				t.Errorf("an error text holds the value of field %s", name)
			}
		}
	}
}

// secrets collects all credentials in v that are long enough to be told from
// ordinary words.
func secrets(v reflect.Value) []string {
	if !v.IsValid() {
		return nil
	}
	if v.CanInterface() {
		if s, ok := v.Interface().(secret.Value); ok {
			if len(s.Reveal()) < minSecret {
				return nil
			}
			return []string{s.Reveal()}
		}
	}
	var all []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		all = secrets(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			all = append(all, secrets(v.Field(i))...)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			all = append(all, secrets(v.Index(i))...)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			all = append(all, secrets(it.Value())...)
		}
	}
	return all
}

const minSecret = 6
