package im_test

import (
	"slices"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
)

func TestFieldsAreLookedUpByName(t *testing.T) {
	f, err := im.ParseFields("Team,Level:number")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]bool{
		"Team": {false, true}, "Level": {true, true}, "level": {}, "": {}, "Level:number": {}, "Tea": {}, "Team,Level": {},
	} {
		number, ok := f.Lookup(name)
		if number != want[0] || ok != want[1] {
			t.Errorf("%q: %v %v", name, number, ok)
		}
	}
	if got := f.Names(); !slices.Equal(got, []string{"Team", "Level"}) {
		t.Errorf("names %q", got)
	}
	if got := im.Fields("").Names(); len(got) != 0 {
		t.Errorf("names of none: %q", got)
	}
	if _, ok := im.Fields("").Lookup(""); ok {
		t.Error("there is a field without a name")
	}
}
