package app_test

import (
	"maps"

	"github.com/porchlight-im/porchlight/internal/app"
)

// The settings about relations and profiles.
func init() {
	maps.Copy(values, map[string]struct {
		text string
		set  func(*app.Settings)
	}{
		"friend.allow_type":      {"nobody", func(s *app.Settings) { s.AllowType = "nobody" }},
		"friend.keep_blocked":    {"true", func(s *app.Settings) { s.KeepFriends = true }},
		"friend.fields":          {"Team,Level:number", func(s *app.Settings) { s.FriendFields = "Team,Level:number" }},
		"profile.fields":         {"Age:number", func(s *app.Settings) { s.ProfileFields = "Age:number" }},
		"profile.own_rank":       {"false", func(s *app.Settings) { s.OwnRank = false }},
		"limit.friends":          {"10", func(s *app.Settings) { s.MaxFriends = 10 }},
		"limit.applications":     {"11", func(s *app.Settings) { s.MaxApplications = 11 }},
		"limit.blocked":          {"12", func(s *app.Settings) { s.MaxBlocked = 12 }},
		"limit.friend_groups":    {"13", func(s *app.Settings) { s.MaxFriendGroups = 13 }},
		"limit.group_name_bytes": {"14", func(s *app.Settings) { s.MaxGroupBytes = 14 }},
		"limit.remark_bytes":     {"15", func(s *app.Settings) { s.MaxRemarkBytes = 15 }},
		"limit.wording_bytes":    {"16", func(s *app.Settings) { s.MaxWordingBytes = 16 }},
		"limit.field_bytes":      {"17", func(s *app.Settings) { s.MaxFieldBytes = 17 }},
	})
}
