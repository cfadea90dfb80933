package server

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const configDoc = "../../docs/configuration.md"

// TestConfigurationPageIsFresh makes the page of settings from the comments in
// config.go and the defaults, and compares it with the one that is committed.
func TestConfigurationPageIsFresh(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{} // by type and field
	ast.Inspect(f, func(n ast.Node) bool {
		ts, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if st, ok := ts.Type.(*ast.StructType); ok {
			for _, field := range st.Fields.List {
				text := strings.TrimSpace(field.Doc.Text() + field.Comment.Text())
				comments[ts.Name.Name+"."+field.Names[0].Name] = strings.Join(strings.Fields(text), " ")
			}
		}
		return false
	})
	var page strings.Builder
	page.WriteString(`# Configuration

Every value has a default. The environment goes over the file, and the command line over both:

    porchlight serve -config porchlight.yaml          # grace: { close: 10s }
    PORCHLIGHT_GRACE_CLOSE=10s porchlight serve
    porchlight serve -set grace.close=10s

A key that does not exist is an error; a limit of 0 is the default, and a very large one is none. Times are written as 300ms, 5s, 10m or 24h. This page is made from the source:
` + "`go test ./internal/server -run ConfigurationPage -update`" + `.

| key | default | |
|---|---|---|
`)
	rows(&page, reflect.ValueOf(DefaultConfig()), "", comments)
	want := page.String()
	if *update {
		if err := os.WriteFile(configDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(configDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is not fresh: go test ./internal/server -run ConfigurationPage -update")
	}
	if strings.Contains(want, "|  |\n") {
		t.Error("a setting has no comment")
	}
}

func rows(page *strings.Builder, v reflect.Value, prefix string, comments map[string]string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		path := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			rows(page, v.Field(i), path+".", comments)
			continue
		}
		def := fmt.Sprint(v.Field(i))
		if d, ok := v.Field(i).Interface().(time.Duration); ok && d%time.Hour == 0 && d > 0 {
			def = fmt.Sprintf("%dh", d/time.Hour)
		}
		if def == "" {
			def = "(none)"
		}
		fmt.Fprintf(page, "| `%s` | %s | %s |\n", path, def, comments[v.Type().Name()+"."+f.Name])
	}
}
