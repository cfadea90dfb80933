package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/porchlight-im/porchlight"

// root is the top of the repository, seen from this folder.
const root = ".."

// goPackage is one folder of Go files.
type goPackage struct {
	path    string   // below the module, with slashes
	sources []goFile // without test files
	tests   []goFile
}

type goFile struct {
	name      string // below the module, with slashes
	doc       string // its package comment
	imports   []string
	generated bool
	funcs     []string // names of its top-level functions
}

// packages reads every Go package of the module, sorted by path.
func packages(t *testing.T) []goPackage {
	t.Helper()
	byPath := map[string]*goPackage{}
	for _, name := range files(t, ".go") {
		file := parse(t, name)
		dir := filepath.ToSlash(filepath.Dir(name))
		p := byPath[dir]
		if p == nil {
			p = &goPackage{path: dir}
			byPath[dir] = p
		}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, file)
		} else {
			p.sources = append(p.sources, file)
		}
	}
	var out []goPackage
	for _, p := range byPath {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b goPackage) int { return strings.Compare(a.path, b.path) })
	return out
}

// files lists the repository's files whose name ends in suffix, without what git
// does not keep and what the go command does not read.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		hidden := strings.HasPrefix(name, ".") && path != root
		if d.IsDir() && (hidden || name == "node_modules" || name == "testdata" || name == "porchlight-data") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, suffix) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			out = append(out, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func parse(t *testing.T, name string) goFile {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	file := goFile{name: name, doc: tree.Doc.Text(), generated: ast.IsGenerated(tree)}
	for _, imp := range tree.Imports {
		path, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		file.imports = append(file.imports, path)
	}
	for _, decl := range tree.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
			file.funcs = append(file.funcs, f.Name.Name)
		}
	}
	return file
}

// read gives a file of the repository, and false where there is none.
func read(t *testing.T, name string) (string, bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if os.IsNotExist(err) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text), true
}
