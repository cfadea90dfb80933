package internal_test

import (
	"fmt"
	"strings"
	"testing"
)

// cell is one of our packages, with the packages below it, as far as imports go.
type cell struct {
	name string   // path below the module
	may  []string // what it may import of ours; its own family it always may
	why  string   // said when it imports something else
}

// The levels. Imports go down, never sideways: a package that needs a neighbour
// declares a small interface, and internal/server passes the neighbour in.
var (
	level0 = []string{"internal/im"}
	level1 = []string{"internal/wire", "internal/usersig"}
	level2 = []string{"internal/app", "internal/account", "internal/profile", "internal/friend", "internal/status"}
	edges  = []string{"internal/gateway", "internal/rest", "internal/admin", "internal/console"}
	drives = []string{"internal/store", "internal/cluster", "internal/webhook"}

	upTo1 = concat(level0, level1)
	upTo2 = concat(upTo1, level2)
	all   = concat(upTo2, edges, drives)
)

// cells holds every package of ours by level. One that is missing here has no
// level yet: the test asks for one.
var cells = concat(
	at(level0, nil, "im is the vocabulary: it knows the standard library alone"),
	at(level1, level0, "level 1 knows level 0 alone"),
	at(level2, level0, "a rule package knows internal/im alone; its neighbours come in through interfaces it declares"),
	at(edges, upTo2, "an edge knows levels 0 to 2; stores and other edges are passed in by internal/server"),
	at(drives, level0, "what is driven knows internal/im alone: it satisfies interfaces without knowing them"),
	at([]string{"internal/server"}, all, "internal/server builds everything but tests"),
	at([]string{"internal/testkit"}, concat(all, []string{"internal/server", "client"}), "testkit knows what it tests"),
	at([]string{"cmd"}, concat(upTo1, []string{"internal/server", "client"}), "a command knows server, client, wire, usersig and im"),
	at([]string{"client"}, upTo1, "the public client knows levels 0 and 1, so that it stays small in other people's programs"),
	at([]string{"examples"}, []string{"client"}, "an example uses what its reader can use: the public client"),
)

func at(names, may []string, why string) []cell {
	var out []cell
	for _, name := range names {
		out = append(out, cell{name: name, may: may, why: why})
	}
	return out
}

func concat[T any](lists ...[]T) []T {
	var out []T
	for _, list := range lists {
		out = append(out, list...)
	}
	return out
}

// TestImportsGoDown holds every import of every package against the levels. Test
// files are free: a test prefers the real parts, wherever they are.
func TestImportsGoDown(t *testing.T) {
	for _, p := range packages(t) {
		for _, file := range p.sources {
			for _, imp := range file.imports {
				if reason := forbidden(p.path, imp); reason != "" {
					t.Errorf("%s: %s must not import %s: %s", file.name, p.path, imp, reason)
				}
			}
		}
		if len(p.sources) > 0 && cellOf(p.path) == nil && strings.HasPrefix(p.path, "internal/") {
			t.Errorf("%s is in no level: give it one in internal/imports_test.go", p.path)
		}
	}
}

// forbidden says why the package at path may not import imp, or "".
func forbidden(path, imp string) string {
	from := cellOf(path)
	if from == nil {
		return ""
	}
	target, ours := strings.CutPrefix(imp, module+"/")
	if !ours {
		if from.name == "internal/im" && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
			return from.why
		}
		return ""
	}
	to := cellOf(target)
	switch {
	case to == nil:
		return "it is in no level: give it one in internal/imports_test.go"
	case to.name == from.name:
		return ""
	case to.name == "internal/testkit":
		return "testkit is for tests alone"
	case target != to.name && to.name != "client" && target != "internal/console/demo":
		return fmt.Sprintf("%s is for %s alone", target, to.name)
	}
	for _, name := range from.may {
		if name == to.name {
			return ""
		}
	}
	return from.why
}

// cellOf gives the cell that a package belongs to, nil for none.
func cellOf(path string) *cell {
	for i := range cells {
		if path == cells[i].name || strings.HasPrefix(path, cells[i].name+"/") {
			return &cells[i]
		}
	}
	return nil
}

// TestForbiddenImports holds the rule itself to its words.
func TestForbiddenImports(t *testing.T) {
	tests := []struct {
		from, imp string
		want      bool // forbidden
	}{
		{"internal/im", "strconv", false},
		{"internal/im", "golang.org/x/sys/unix", true},
		{"internal/wire", module + "/internal/im", false},
		{"internal/wire", module + "/internal/usersig", true},
		{"internal/status", "golang.org/x/sync/errgroup", false},
		{"internal/status", module + "/internal/wire", true},
		{"internal/status", module + "/internal/account", true},
		{"internal/gateway", module + "/internal/status", false},
		{"internal/gateway", module + "/internal/rest", true},
		{"internal/gateway", module + "/internal/store", true},
		{"internal/store", module + "/internal/store/sqlc", false},
		{"internal/store", module + "/internal/app", true},
		{"internal/server", module + "/internal/store", false},
		{"internal/server", module + "/internal/store/sqlc", true},
		{"internal/server", module + "/internal/testkit", true},
		{"internal/server", module + "/internal/nowhere", true},
		{"cmd/porchlight", module + "/internal/server", false},
		{"cmd/porchlight", module + "/internal/status", true},
		{"client/rest", module + "/client", false},
		{"client", module + "/internal/app", true},
		{"examples/bot", module + "/client", false},
		{"examples/bot", module + "/internal/im", true},
	}
	for _, tt := range tests {
		if got := forbidden(tt.from, tt.imp); (got != "") != tt.want {
			t.Errorf("forbidden(%s, %s) = %q, want forbidden %v", tt.from, tt.imp, got, tt.want)
		}
	}
}
