package rest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/rest.md anew")

const referencePage = "../../docs/rest.md"

// TestReferencePageIsFresh makes the reference from the table and compares it
// with the one that is committed.
func TestReferencePageIsFresh(t *testing.T) {
	var page strings.Builder
	page.WriteString(`# The REST API

For back ends: ` + "`POST /v4/<service>/<command>`" + `, as with the original, so that a client library written for it works when
its base URL is this server's. [spec/rest.md](../spec/rest.md) says what holds for every command, and this page, which is made
from the table of commands (` + "`go test ./internal/rest -run ReferencePage -update`" + `), which there are.

    sig=$(porchlight usersig administrator)
    curl -X POST -d '{"CheckItem":[{"UserID":"alice"}]}' \
      "http://127.0.0.1:7800/v4/im_open_login_svc/account_check?sdkappid=1400000001&identifier=administrator&usersig=$sig&random=1&contenttype=json"

Every answer has ` + "`ActionStatus`, `ErrorCode`, `ErrorInfo` and `RequestId`" + `; what it has beside them stands with each command.
A rate holds where the application's setting ` + "`rest.limited`" + ` is on. In a body, names are spelled exactly and unknown ones ignored.
`)
	missing := map[string][]string{} // commands by service
	for _, r := range table() {
		if r.handler.run == nil {
			service, command, _ := strings.Cut(r.path, "/")
			missing[service] = append(missing[service], command)
			continue
		}
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n", r.path, r.does)
		fmt.Fprintf(&page, "Calls a second: %d. A body that is no JSON object: %d; a member of the wrong type: %d; a fault of the server: %d.\n",
			r.rate, r.notJSON(), r.service.invalid, r.service.internal)
		members(&page, "Body", r.handler.in)
		members(&page, "Answer", r.handler.out)
	}
	page.WriteString("\n## Not served\n\nThese commands of the original are refused with 60009, and counted:\n\n")
	for _, service := range slices.Sorted(maps.Keys(missing)) {
		fmt.Fprintf(&page, "* `%s/`: %s\n", service, strings.Join(missing[service], ", "))
	}
	want := page.String()
	if *update {
		if err := os.WriteFile(referencePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/rest.md is not fresh: go test ./internal/rest -run ReferencePage -update")
	}
	if strings.Contains(want, "|  |\n") {
		t.Error("a member of a body or an answer has no doc tag")
	}
}

// members writes the table of a body's or an answer's members.
func members(page *strings.Builder, title string, t reflect.Type) {
	if rows := memberRows("", t); len(rows) > 0 {
		fmt.Fprintf(page, "\n| %s | type | |\n|---|---|---|\n%s", title, strings.Join(rows, ""))
	}
}

func memberRows(prefix string, t reflect.Type) (rows []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind, inner := describe(f.Type)
		if f.Anonymous && name == "" {
			rows = append(rows, memberRows(prefix, inner)...)
			continue
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", prefix+name, kind, f.Tag.Get("doc")))
		if inner != nil {
			if strings.HasPrefix(kind, "list") {
				name += "[]"
			}
			rows = append(rows, memberRows(prefix+name+".", inner)...)
		}
	}
	return rows
}

// describe gives the JSON type in words, and the struct that is within it.
func describe(t reflect.Type) (kind string, inner reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "any", nil
		}
		kind, inner = describe(t.Elem())
		return "list of " + kind + "s", inner
	case reflect.Struct:
		return "object", t
	case reflect.String:
		return "text", nil
	case reflect.Bool:
		return "boolean", nil
	default:
		return "number", nil
	}
}

// TestTableIsSound: what every row owes.
func TestTableIsSound(t *testing.T) {
	var paths []string
	for _, r := range table() {
		if strings.Count(r.path, "/") != 1 || slices.Contains(paths, r.path) {
			t.Errorf("%q is not one path of the form service/command", r.path)
		}
		paths = append(paths, r.path)
		if r.handler.run == nil {
			continue
		}
		if !strings.HasSuffix(r.does, ".") || r.service == nil || r.rate <= 0 || r.service.invalid == 0 || r.service.internal == 0 {
			t.Errorf("%s does not say what it does and demands", r.path)
		}
	}
	if len(paths) < 155 {
		t.Errorf("the table has %d commands; the original has more", len(paths))
	}
}
