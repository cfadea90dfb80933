package internal_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A clause is a line of spec/*.md that begins "- **WI7** ". Its letters are the
// first two of the file's name, so that a reader of WI7 knows where to look.
var clauseLine = regexp.MustCompile(`(?m)^- \*\*([A-Z]{2}\d+)\*\* `)

// A script of testdata/scenario cites clauses in its first line, as in
// "# ST1 ST4 the last logout turns a user off".
var scenarioCitation = regexp.MustCompile(`^# ((?:[A-Z]{2}\d+ )+)`)

// A test cites clauses by its name: TestWI7_Name or FuzzWI7_WI8_Name in Go, or
// testWI7_Name where it is a row of a table that several tests run, and a title
// beginning "WI7 " in TypeScript.
var (
	goCitation = regexp.MustCompile(`^(?:[Tt]est|Fuzz)((?:[A-Z]{2}\d+_)+)`)
	tsCitation = regexp.MustCompile("\\b(?:test|it|describe)\\b[^\\n'\"`]*\\(\\s*['\"`]([A-Z]{2}\\d+) ")
)

// TestClausesAndTestsAgree demands a test of every clause and a clause for every
// test that cites one. Where they disagree, one of the two lists is wrong.
func TestClausesAndTestsAgree(t *testing.T) {
	clauses, cited := clausesOf(t), citations(t)
	for _, id := range slices.Sorted(maps.Keys(clauses)) {
		if len(cited[id]) == 0 {
			t.Errorf("%s: no test cites %s: name one Test%s_… or, in TypeScript, \"%s …\"", clauses[id], id, id, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(cited)) {
		if clauses[id] == "" {
			t.Errorf("%s cites %s, and spec/ has no such clause", strings.Join(cited[id], ", "), id)
		}
	}
}

// clausesOf reads the clauses, each with its file.
func clausesOf(t *testing.T) map[string]string {
	t.Helper()
	clauses := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(root, "spec", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		name := "spec/" + filepath.Base(path)
		prefix := strings.ToUpper(filepath.Base(path)[:2])
		text, _ := read(t, name)
		for _, m := range clauseLine.FindAllStringSubmatch(text, -1) {
			id := m[1]
			if !strings.HasPrefix(id, prefix) {
				t.Errorf("%s: clause %s should begin with %s, as its file does", name, id, prefix)
			}
			if clauses[id] != "" {
				t.Errorf("%s: there are two clauses %s", name, id)
			}
			clauses[id] = name
		}
	}
	return clauses
}

// citations gives for each clause that a test cites the files that do.
func citations(t *testing.T) map[string][]string {
	t.Helper()
	cited := map[string][]string{}
	for _, p := range packages(t) {
		for _, file := range p.tests {
			for _, name := range file.funcs {
				for _, id := range citedByGo(name) {
					cited[id] = append(cited[id], file.name)
				}
			}
		}
	}
	for _, name := range files(t, ".test.ts") {
		text, _ := read(t, name)
		for _, id := range citedByTypeScript(text) {
			cited[id] = append(cited[id], name)
		}
	}
	for name, ids := range scenarios(t) {
		for _, id := range ids {
			cited[id] = append(cited[id], name)
		}
	}
	return cited
}

// scenarios gives the clauses that each script cites.
func scenarios(t *testing.T) map[string][]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "testdata", "scenario", "*.txt"))
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d scenarios, want at least 15: %v", len(paths), err)
	}
	cited := map[string][]string{}
	for _, path := range paths {
		name := "testdata/scenario/" + filepath.Base(path)
		text, _ := read(t, name)
		m := scenarioCitation.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s: the first line names no clause, as in # ST1 ST4 what it shows", name)
			continue
		}
		cited[name] = strings.Fields(m[1])
	}
	return cited
}

func citedByGo(name string) []string {
	m := goCitation.FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(m[1], "_"), "_")
}

func citedByTypeScript(text string) []string {
	var out []string
	for _, m := range tsCitation.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestCitations(t *testing.T) {
	for name, want := range map[string][]string{
		"TestST4_LastLogoutTurnsOffline": {"ST4"},
		"FuzzWI7_WI12_Frame":             {"WI7", "WI12"},
		"TestHTTP2_Preface":              nil,
		"TestStatus":                     nil,
	} {
		if got := citedByGo(name); !slices.Equal(got, want) {
			t.Errorf("citedByGo(%q) = %q, want %q", name, got, want)
		}
	}
	for text, want := range map[string][]string{
		`test('ST4 the last logout', async () => {`:           {"ST4"},
		"  it.each(rows)(`SE12 is kept %s`, () => {":          {"SE12"},
		"describe.sequential(\n  \"WI7 frames\", () => {":     {"WI7"},
		`test('a user sees ST4 at work', () => {`:             nil,
		"test('WI1 a'); test.skipIf(!chromium)('WI2 b', f)\n": {"WI1", "WI2"},
	} {
		if got := citedByTypeScript(text); !slices.Equal(got, want) {
			t.Errorf("citedByTypeScript(%q) = %q, want %q", text, got, want)
		}
	}
}
