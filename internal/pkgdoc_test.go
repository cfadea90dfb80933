package internal_test

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestPackagesIntroduceThemselves demands a package comment that says what the
// package is for and what it promises or never does: two sentences at least.
func TestPackagesIntroduceThemselves(t *testing.T) {
	for _, p := range packages(t) {
		var doc string
		written := 0 // files that are not generated
		for _, file := range p.sources {
			if !file.generated {
				written++
			}
			if file.doc == "" {
				continue
			}
			if doc != "" && !file.generated {
				t.Errorf("%s: the package has two comments; keep one", file.name)
			}
			doc = file.doc
		}
		if written == 0 {
			continue
		}
		switch {
		case doc == "":
			t.Errorf("%s has no package comment: what is it for, what does it promise, what does it never do?", p.path)
		case sentences(doc) < 2:
			t.Errorf("%s: its package comment is too short to say what it is for and what it promises:\n%s", p.path, doc)
		case !introduces(doc, path.Base(p.path)):
			t.Errorf("%s: its package comment begins neither with Package and its name nor with a command's:\n%s", p.path, doc)
		}
	}
}

// introduces reports whether a package comment begins as go doc shows it best.
func introduces(doc, name string) bool {
	for _, start := range []string{"Package " + name, "Command " + name, strings.ToUpper(name[:1]) + name[1:]} {
		if strings.HasPrefix(doc, start+" ") {
			return true
		}
	}
	return false
}

var sentenceEnd = regexp.MustCompile(`[.!?:][)"']*(\s|$)`)

func sentences(text string) int { return len(sentenceEnd.FindAllString(text, -1)) }
