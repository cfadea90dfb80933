package im

import (
	"fmt"
	"strings"
)

// The fields of a profile that the server itself looks at, by the tags under
// which every client knows them and the store keeps them.
const (
	TagNick      = "Tag_Profile_IM_Nick"
	TagImage     = "Tag_Profile_IM_Image"
	TagGender    = "Tag_Profile_IM_Gender"
	TagAllowType = "Tag_Profile_IM_AllowType"
	TagForbid    = "Tag_Profile_IM_AdminForbidType"
)

// The values of those that are one of a few.
const (
	AllowAny      = "AllowType_Type_AllowAny"    // anybody may add the user
	AllowConfirm  = "AllowType_Type_NeedConfirm" // the user is asked
	AllowNobody   = "AllowType_Type_DenyAny"
	ForbidNothing = "AdminForbid_Type_None"
	ForbidAdding  = "AdminForbid_Type_SendOut" // the user may add nobody
	GenderUnknown = "Gender_Type_Unknown"
	GenderFemale  = "Gender_Type_Female"
	GenderMale    = "Gender_Type_Male"
)

// Allow is who may add a user as friend, as an operator writes it.
type Allow string

// The choices, each with its tag's value.
var allows = map[Allow]string{"any": AllowAny, "confirm": AllowConfirm, "nobody": AllowNobody}

// ParseAllow gives the choice of a name.
func ParseAllow(name string) (Allow, bool) {
	_, ok := allows[Allow(name)]
	return Allow(name), ok
}

// Value gives the value of [TagAllowType].
func (a Allow) Value() string { return allows[a] }

// Field is one field of a profile or of an entry of a list of friends. Value is
// a string or an int64; anything else is of the wrong type.
type Field struct {
	Tag   string
	Value any
}

// Fields names the custom fields of one kind that an application declares, as
// the operator writes them: names of letters joined by commas, each followed by
// ":number" where its values are numbers, such as "Team,Level:number".
type Fields string

// ParseFields reads names of fields.
func ParseFields(text string) (Fields, error) {
	if text == "" {
		return "", nil
	}
	parts := strings.Split(text, ",")
	if len(parts) > MaxCustomFields {
		return "", fmt.Errorf("%d fields are more than %d", len(parts), MaxCustomFields)
	}
	seen := make(map[string]bool, len(parts))
	for _, part := range parts {
		name, kind, typed := strings.Cut(part, ":")
		switch {
		case !Letters(name, MaxFieldName):
			return "", fmt.Errorf("%q is not the name of a field: 1 to %d letters", name, MaxFieldName)
		case typed && kind != "number":
			return "", fmt.Errorf("%q is no kind of field: there are texts, and %s:number", kind, name)
		case seen[name]:
			return "", fmt.Errorf("field %q is there twice", name)
		}
		seen[name] = true
	}
	return Fields(text), nil
}

// Lookup reports whether there is a field of that name, and whether its values
// are numbers.
func (f Fields) Lookup(name string) (number, ok bool) {
	if name == "" {
		return false, false
	}
	for part := range strings.SplitSeq(string(f), ",") {
		if n, kind, _ := strings.Cut(part, ":"); n == name {
			return kind == "number", true
		}
	}
	return false, false
}

// Names gives the names in their order.
func (f Fields) Names() []string {
	if f == "" {
		return nil
	}
	names := strings.Split(string(f), ",")
	for i, part := range names {
		names[i], _, _ = strings.Cut(part, ":")
	}
	return names
}

// Letters reports whether the text is of 1 to most letters of ASCII.
func Letters(text string, most int) bool {
	if text == "" || len(text) > most {
		return false
	}
	for i := range len(text) {
		if c := text[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}
