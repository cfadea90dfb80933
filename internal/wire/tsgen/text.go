package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// constant is one constant of a Go file, its value as it is written there.
type constant struct {
	name, value string
}

// limits are the numbers that both sides must agree on; a duration becomes
// milliseconds.
var limits = []struct {
	name  string
	value any
}{
	{"maxUserIDBytes", im.MaxUserIDBytes},
	{"maxCustomBytes", im.MaxCustomBytes},
	{"maxQuery", im.MaxQuery},
	{"maxSubscribe", im.MaxSubscribe},
	{"maxSubscribed", im.MaxSubscribed},
	{"maxCallsWindow", im.MaxCallsWindow},
	{"callsWindowMS", im.CallsWindow},
	{"abilityStatus", wire.AbilityStatus},
}

// bodies are the shapes that the SDK reads or writes.
var bodies = []any{
	wire.Answer{},
	wire.LoggedIn{},
	wire.SetStatus{},
	wire.Targets{},
	wire.StatusItem{},
	wire.FailedItem{},
	wire.Statuses{},
	wire.Failures{},
	wire.Abilitied{},
	wire.Config{},
}

func isCode(name string) bool { return strings.HasPrefix(name, "Code") }

// constants reads the constants of a Go file whose names are wanted.
func constants(path string, wanted func(string) bool) ([]constant, error) {
	tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out []constant
	for _, decl := range tree.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			s := spec.(*ast.ValueSpec) //nolint:forcetypeassert // what a group of constants holds
			if len(s.Names) != 1 || len(s.Values) != 1 || !wanted(s.Names[0].Name) {
				continue
			}
			if value, ok := literal(s.Values[0]); ok {
				out = append(out, constant{s.Names[0].Name, value})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no constants", path)
	}
	return out, nil
}

// literal gives the text of a literal, with its sign.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value, true
	case *ast.UnaryExpr:
		value, ok := literal(e.X)
		return e.Op.String() + value, ok
	default:
		return "", false
	}
}

func commandsText(all []constant) string {
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "export const %s = %s;\n", lower(c.name), c.value)
	}
	return b.String() + "\n"
}

func limitsText() string {
	var b strings.Builder
	for _, l := range limits {
		value := l.value
		if d, ok := value.(time.Duration); ok {
			value = d.Milliseconds()
		}
		fmt.Fprintf(&b, "export const %s = %v;\n", l.name, value)
	}
	return b.String()
}

// typesText gives an interface for each body.
func typesText() string {
	var b strings.Builder
	for _, body := range bodies {
		t := reflect.TypeOf(body)
		fmt.Fprintf(&b, "\nexport interface %s%s {\n", t.Name(), base(t))
		for field := range fields(t) {
			name, optional := tag(field)
			fmt.Fprintf(&b, "  %s%s: %s;\n", name, optional, typeText(field.Type))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// base says which shape a shape begins with.
func base(t reflect.Type) string {
	if t.NumField() > 0 && t.Field(0).Anonymous {
		return " extends " + t.Field(0).Type.Name()
	}
	return ""
}

func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); !f.Anonymous && !yield(f) {
				return
			}
		}
	}
}

// tag gives the name on the wire, and "?" where it may be missing.
func tag(f reflect.StructField) (name, optional string) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if options != "" || f.Type.Kind() == reflect.Pointer {
		optional = "?"
	}
	return name, optional
}

func typeText(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeText(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string" // base64
		}
		return typeText(t.Elem()) + "[]"
	case reflect.Struct:
		return t.Name()
	case reflect.Interface:
		return "unknown"
	default:
		return "number"
	}
}

// codesText gives each code, and for those whose text says what to do, that.
func codesText(all []constant) string {
	var names, hints strings.Builder
	for _, c := range all {
		fmt.Fprintf(&names, "export const %s = %s;\n", lower(c.name), c.value)
		n, err := strconv.Atoi(c.value)
		if err != nil {
			continue
		}
		if _, todo, ok := strings.Cut(im.Code(n).Text(), "; "); ok {
			quoted, _ := json.Marshal(todo) // a string has always a text
			fmt.Fprintf(&hints, "  [%s]: %s,\n", lower(c.name), quoted)
		}
	}
	return names.String() + "\n/** What to do about a code of the server. */\nexport const hints: Readonly<Record<number, string>> = {\n" +
		hints.String() + "};\n"
}

// lower gives a name as TypeScript writes it.
func lower(name string) string {
	r := []rune(name)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
