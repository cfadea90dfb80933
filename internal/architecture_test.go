package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var folderName = regexp.MustCompile("`([A-Za-z0-9_.][A-Za-z0-9_./-]*)/`")

// TestArchitectureNamesRealFolders keeps the map in step with the land: each
// path in ARCHITECTURE.md that stands in backquotes and ends in a slash exists.
func TestArchitectureNamesRealFolders(t *testing.T) {
	text, ok := read(t, "ARCHITECTURE.md")
	if !ok {
		t.Fatal("there is no ARCHITECTURE.md")
	}
	named := folderName.FindAllStringSubmatch(text, -1)
	if len(named) == 0 {
		t.Error("ARCHITECTURE.md names no folder: it is to be the map of them")
	}
	for _, m := range named {
		info, err := os.Stat(filepath.Join(root, m[1]))
		if err != nil || !info.IsDir() {
			t.Errorf("ARCHITECTURE.md names %s/, and there is no such folder", m[1])
		}
	}
}
