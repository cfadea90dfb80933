package wire

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
)

// ProfileQuery is the body of [CmdProfileGet].
type ProfileQuery struct {
	Items []struct {
		User im.UserID `json:"To_Account"`
	} `json:"UserItem"`
}

// Profiles answers [CmdProfileGet].
type Profiles struct {
	Answer
	Items []Profile `json:"UserProfileItem"`
}

// Profile is one user of [Profiles].
type Profile struct {
	User  im.UserID    `json:"To_Account"`
	Items []ProfileTag `json:"ProfileItem"`
}

// ProfileTag is one field of a profile or of an entry of a list of friends;
// Value is a string, a number, or a list of strings.
type ProfileTag struct {
	Tag   string `json:"Tag"`
	Value any    `json:"Value"`
}

// ProfileTags gives fields as clients are told of them.
func ProfileTags(fields []im.Field) []ProfileTag {
	tags := make([]ProfileTag, len(fields))
	for i, f := range fields {
		tags[i] = ProfileTag(f)
	}
	return tags
}

// ProfileSet is the body of [CmdProfileSet].
type ProfileSet struct {
	From  im.UserID  `json:"From_Account"`
	Items []TagValue `json:"ProfileItem"`
}

// TagValue is one field that a client sets.
type TagValue struct {
	Tag   string         `json:"Tag"`
	Value jsontext.Value `json:"Value"`
}

// Field gives the field with its value as a string or an int64, or with one of
// neither type where it is of neither.
func (v TagValue) Field() im.Field {
	f := im.Field{Tag: v.Tag}
	switch v.Value.Kind() {
	case '"':
		f.Value = text(v.Value)
	case '0':
		if n, err := strconv.ParseInt(string(v.Value), 10, 64); err == nil {
			f.Value = n
		}
	}
	return f
}

// Fields gives the fields of some values.
func Fields(values []TagValue) []im.Field {
	fields := make([]im.Field, len(values))
	for i, v := range values {
		fields[i] = v.Field()
	}
	return fields
}

// text gives the text of a JSON string.
func text(v jsontext.Value) string {
	b, _ := jsontext.AppendUnquote(nil, v) // it was read as JSON already; halves of pairs become U+FFFD
	return string(b)
}

// profilePush is what the other devices and the friends of a user are sent.
type profilePush struct {
	Event int          `json:"Event"`
	Mod   []profileMod `json:"ProfileDataMod"`
}

type profileMod struct {
	User  im.UserID    `json:"Profile_Account"`
	Type  int          `json:"PushType"`
	Items []ProfileTag `json:"ProfileList"`
}

// AppendProfilePush appends the push that says which fields of a user's profile
// are new. One encoding serves all who are told.
func AppendProfilePush(dst []byte, user im.UserID, fields []im.Field) []byte {
	return appendPush(dst, profilePush{Event: 8, Mod: []profileMod{{user, 1, ProfileTags(fields)}}})
}
