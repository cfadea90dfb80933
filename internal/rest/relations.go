package rest

import "github.com/porchlight-im/porchlight/internal/im"

// The services about users and their relations.
var (
	profiles  = &service{invalid: im.CodeProfileInvalid, internal: im.CodeProfileInternal, display: true}
	relations = &service{invalid: im.CodeFriendInvalid, internal: im.CodeFriendInternal, display: true}
)

// relationRows gives the rows of the table about profiles, friends and
// blocklists.
func relationRows() []route {
	rows := []route{
		{
			path: "profile/portrait_set", service: profiles, handler: with(setProfile),
			does: "Sets fields of a user's profile.",
		},
		{
			path: "profile/portrait_get", service: profiles, handler: with(getProfiles),
			does: "Gives the profiles of users.",
		},
	}
	for _, r := range []route{
		{path: "sns/friend_add", handler: with(addFriends), does: "Adds friends, as the user would, or by force."},
		{path: "sns/friend_import", handler: with(importFriends), does: "Puts friends on a user's list alone, asking nobody."},
		{path: "sns/friend_update", handler: with(updateFriends), does: "Changes what a user's list says of friends."},
		{path: "sns/friend_delete", handler: with(deleteFriends), does: "Takes friends off a user's list, or off both lists."},
		{path: "sns/friend_delete_all", handler: with(deleteAllFriends), does: "Takes all friends off a user's list, or off both lists."},
		{path: "sns/friend_check", handler: with(checkFriends), does: "Says who is on whose list."},
		{path: "sns/friend_get", handler: with(getFriends), does: "Gives a user's list, a page at a time."},
		{path: "sns/friend_get_list", handler: with(someFriends), does: "Gives entries of a user's list by name."},
		{path: "sns/black_list_add", handler: with(block), does: "Puts users on a user's blocklist."},
		{path: "sns/black_list_delete", handler: with(unblock), does: "Takes users off a user's blocklist."},
		{path: "sns/black_list_check", handler: with(checkBlocks), does: "Says who blocks whom."},
		{path: "sns/black_list_get", handler: with(getBlocks), does: "Gives a user's blocklist, a page at a time."},
		{path: "sns/group_add", handler: with(makeGroups), does: "Makes friend groups and puts friends into them."},
		{path: "sns/group_delete", handler: with(dropGroups), does: "Removes friend groups."},
		{path: "sns/group_get", handler: with(getGroups), does: "Gives a user's friend groups."},
	} {
		r.service = relations
		rows = append(rows, r)
	}
	for i := range rows {
		rows[i].rate = 200
	}
	return rows
}
