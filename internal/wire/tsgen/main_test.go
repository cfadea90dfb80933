package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTypeScriptHasWhatTheServerHas generates both files and looks for one thing
// of each kind in them.
func TestTypeScriptHasWhatTheServerHas(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", ".."))
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string][]string{
		"wire.gen.ts": {
			`export const cmdSetStatus = "im_open_status.ws_set_custom_status";`,
			`export const pushEvents = "im_open_push.msg_push";`,
			"export const maxSubscribed = 200;", "export const callsWindowMS = 5000;",
			"export interface LoggedIn extends Answer {\n  A2Key: string;", "  CustomStatus?: string;",
			"  UserStatusList: StatusItem[];", "  Version?: string;", "  InstId: number;",
		},
		"codes.gen.ts": {
			"export const codeSigExpired = 70001;", "export const codeOverload = -10114;",
			`  [codeSigExpired]: "log in with a new UserSig",`,
		},
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wanted {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
}

func TestConstantsOfNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty.go")
	if err := os.WriteFile(path, []byte("package empty\n\nconst a, b = 1, 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := constants(path, isCode); err == nil {
		t.Errorf("constants of a file without any: %v", got)
	}
	if _, err := constants(path+"x", isCode); err == nil {
		t.Error("constants of no file: no error")
	}
}
