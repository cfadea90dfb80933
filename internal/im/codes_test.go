package im_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
)

// constants reads the Code constants of codes.go, so that none can be forgotten
// here.
func constants(t *testing.T) map[string]im.Code {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]im.Code{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		name := spec.Names[0].Name
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			t.Errorf("%s is not declared to be a Code", name)
		}
		codes[name] = im.Code(integer(t, spec.Values[0]))
		return true
	})
	if len(codes) < 20 {
		t.Fatalf("only %d codes were found in codes.go", len(codes))
	}
	return codes
}

// integer gives the value of a literal with or without a minus.
func integer(t *testing.T, e ast.Expr) int {
	t.Helper()
	sign := 1
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.SUB {
		sign, e = -1, u.X
	}
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		t.Fatalf("a code is %T, not a number", e)
	}
	n, err := strconv.Atoi(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return sign * n
}

func TestWI14_EveryCodeSaysWhatToDo(t *testing.T) {
	byCode, byText := map[im.Code]string{}, map[string]string{}
	for name, code := range constants(t) {
		text := code.Text()
		if (text == "") != (code == im.CodeOK) {
			t.Errorf("%s (%d) has the text %q", name, code, text)
		}
		if other := byCode[code]; other != "" {
			t.Errorf("%s and %s are both %d", name, other, code)
		}
		byCode[code], byText[text] = name, name
		if strings.TrimSpace(text) != text || strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
			t.Errorf("%s: %q is not a text that can stand in a sentence", name, text)
		}
		if code.String() != strconv.Itoa(int(code)) {
			t.Errorf("%s is written %s", name, code)
		}
	}
	if got := im.Code(4711).Text(); got != "" {
		t.Errorf("a code that is none has the text %q", got)
	}
	if len(byText) < len(byCode)-2 { // the two timeouts may share theirs
		t.Errorf("%d codes share %d texts", len(byCode), len(byText))
	}
}

func TestErrorSaysTextAndCode(t *testing.T) {
	for want, err := range map[string]*im.Error{
		"no such SDKAppID on this server (70020)":            im.Err(im.CodeNoApp),
		"at most 500 users in one call (70402)":              im.Errorf(im.CodeInvalid, "at most %d users in one call", 500),
		"the server is overloaded; try again later (-10114)": im.Err(im.CodeOverload),
		"100% sure (70500)":                                  im.Errorf(im.CodeInternal, "100%% sure"),
		" (0)":                                               {},
		"called too often; slow down (7008)":                 im.Err(im.CodeTooOften),
		"a userID is 1 to 32 bytes of printable ASCII without spaces (7003)": im.Err(im.CodeInvalidUserID),
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestErrorsAreTheSameByCodeAlone(t *testing.T) {
	err := im.Errorf(im.CodeInvalid, "one text")
	for name, c := range map[string]struct {
		err, target error
		want        bool
	}{
		"another text":       {err, im.Errorf(im.CodeInvalid, "another"), true},
		"the code's text":    {err, im.Err(im.CodeInvalid), true},
		"wrapped":            {fmt.Errorf("load: %w", err), im.Err(im.CodeInvalid), true},
		"joined":             {errors.Join(io.EOF, err), im.Err(im.CodeInvalid), true},
		"another code":       {err, im.Errorf(im.CodeInternal, "one text"), false},
		"not of this type":   {err, io.EOF, false},
		"looked for in vain": {io.EOF, err, false},
	} {
		if got := errors.Is(c.err, c.target); got != c.want {
			t.Errorf("%s: errors.Is(%v, %v) = %v", name, c.err, c.target, got)
		}
	}
}

func TestRefusalHidesWhatIsInternal(t *testing.T) {
	own := im.Errorf(im.CodeTooOften, "slow down")
	for name, c := range map[string]struct {
		err   error
		want  *im.Error
		known bool
	}{
		"a refusal":           {own, own, true},
		"a refusal, wrapped":  {fmt.Errorf("query: %w", own), own, true},
		"a refusal, joined":   {errors.Join(io.EOF, own), own, true},
		"an internal error":   {io.ErrUnexpectedEOF, im.Err(im.CodeInternal), false},
		"one with a password": {errors.New("dial: password hunter2"), im.Err(im.CodeInternal), false},
	} {
		got, known := im.Refusal(c.err)
		if known != c.known || *got != *c.want {
			t.Errorf("%s: got %v, %v; want %v, %v", name, got, known, c.want, c.known)
		}
	}
}
