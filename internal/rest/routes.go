package rest

import (
	"cmp"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
)

// service is what the commands of one area have in common.
type service struct {
	invalid  im.Code // a member of the body has the wrong type
	internal im.Code // the server is at fault
	display  bool    // its answers have the member ErrorDisplay
}

// The services.
var (
	accounts = &service{invalid: im.CodeInvalid, internal: im.CodeInternal}
	presence = &service{invalid: im.CodeNotStringAccount, internal: im.CodeQueryFailed}
	operator = &service{invalid: im.CodeInvalid, internal: im.CodeInternal}
)

// route is a row of the table: a command and what it demands. A row without a
// handler is not served here.
type route struct {
	path    string // service/command, spelled as the original does
	does    string // a sentence for the reference page
	service *service
	handler handler
	rate    int     // calls a second of one application, where it is held to rates
	badJSON im.Code // the body is no JSON object; 0 for CodeNotJSON
	message bool    // sends messages, whose bodies have a limit of their own
	bare    bool    // takes an empty body for {}
}

// notJSON gives the code of a body that is no JSON object.
func (r *route) notJSON() im.Code { return cmp.Or(r.badJSON, im.CodeNotJSON) }

// table makes the table anew: every command that the original has.
func table() []route {
	rows := []route{
		{
			path: "im_open_login_svc/account_import", service: accounts, rate: 200, handler: with(importAccount),
			does: "Makes an account, or updates its nickname and avatar.",
		},
		{
			path: "im_open_login_svc/multiaccount_import", service: accounts, rate: 100, handler: with(importAccounts),
			does: "Makes accounts, or updates their nicknames and avatars.",
		},
		{
			path: "im_open_login_svc/account_check", service: accounts, rate: 100, handler: with(checkAccounts),
			does: "Says of accounts whether they exist.",
		},
		{
			path: "im_open_login_svc/account_delete", service: accounts, rate: 100, handler: with(deleteAccounts),
			does: "Deletes accounts with all that is theirs. Their sessions end, and UserSigs of that second and earlier are dead for good.",
		},
		{
			path: "im_open_login_svc/kick", service: accounts, rate: 200, handler: with(kick),
			does: "Ends all sessions of a user and makes every UserSig of that second and earlier dead for good. A new one works.",
		},
		{
			path: "openim/query_online_status", service: presence, rate: 200, badJSON: im.CodeQueryNotJSON, handler: with(queryOnline),
			does: "Says where users are.",
		},
		{
			path: "openim/querystate", service: presence, rate: 200, badJSON: im.CodeQueryNotJSON, handler: with(queryState),
			does: "The older name of openim/query_online_status.",
		},
		{
			path: "openconfigsvr/getappinfo", service: operator, rate: 200, bare: true, handler: with(appInfo),
			does: "Gives what was measured of the application on each of the latest days.",
		},
		{
			path: "ConfigSvc/GetIPList", service: operator, rate: 200, bare: true, handler: with(addresses),
			does: "Gives the addresses of the server, whatever the parameter nettype (0 to 6) asks for.",
		},
	}
	rows = append(rows, relationRows()...)
	var name string // of the service
	for word := range strings.FieldsSeq(notServed) {
		if first, ok := strings.CutSuffix(word, ":"); ok {
			name = first
			continue
		}
		rows = append(rows, route{path: name + "/" + word})
	}
	return rows
}

// notServed are the other commands of the original, by service. A call of one is
// refused and counted, so that an operator sees what callers miss.
const notServed = `
	openim: sendmsg batchsendmsg importmsg admin_getroammsg admin_msgwithdraw admin_set_msg_read get_c2c_unread_msg_num
		modify_c2c_msg delete_c2c_msg_ramble c2c_msg_read_receipt modify_group_msg
	openim_msg_ext_http_svc: get_key_values set_key_values group_get_key_values group_set_key_values
	all_member_push: im_push im_set_attr_name im_get_attr_name im_get_attr im_set_attr im_remove_attr im_get_tag
		im_add_tag im_remove_tag im_remove_all_tags
	timpush: push batch revoke set_attr_name get_attr_name all_member_push_statistics all_member_push_trace
	follow: follow_add follow_delete follow_get follow_check follow_get_info
	recentcontact: get_list delete create_contact_group mark_contact update_contact_group get_contact_group
		del_contact_group search_contact_group
	group_open_http_svc: set_unread_msg_num get_appid_group_list create_group get_group_info get_group_member_info
		get_specified_group_member_info modify_group_base_info add_group_member delete_group_member modify_group_member_info
		destroy_group get_joined_group_list get_role_in_group forbid_send_msg get_group_shutted_uin get_group_muted_account
		send_group_msg send_group_system_notification group_msg_recall change_group_owner import_group import_group_msg
		import_group_member delete_group_msg_by_sender group_msg_get_simple get_online_member_num
		get_group_msg_receipt_detail get_group_msg_receipt group_msg_receipt clear_group_msg modify_group_attr
		clear_group_attr set_group_attr delete_group_attr get_group_counter update_group_counter delete_group_counter
		send_broadcast_msg get_group_ban_member ban_group_member unban_group_member import_topic create_permission_group
		destroy_permission_group modify_permission_group get_permission_group add_topic_permission_group
		set_topic_permission_group delete_topic_permission_group get_topic_permission_group add_permission_group_member
		delete_permission_group_member
	group_open_attr_http_svc: get_group_attr
	group_open_avchatroom_http_svc: get_members modify_user_info modify_admin get_admin_list check_members
	million_group_open_http_svc: create_topic destroy_topic get_topic modify_topic
	openconfigsvr: setnospeaking getnospeaking
	open_msg_svc: get_history
	im_cos_msg: get_cos_sig forbid_illegal_object allow_banned_object
	openim_robot_http_svc: get_all_robots create_robot delete_robot send_stream_msg
	official_account_open_http_svc: create_official_account destroy_official_account modify_official_account_base_info
		get_official_account_info send_official_account_msg official_account_msg_recall official_account_msg_get_simple
		add_subscriber delete_subscriber modify_subscriber_info get_subscriber_info get_subscribed_official_account_list
	im_msg_audit_mgr: add_local_audit_keywords delete_local_audit_keywords get_local_audit_keywords
		get_cloud_audit_keywords_ids get_cloud_audit_keywords add_cloud_audit_keywords delete_cloud_audit_keywords
	im_msg_audit: content_moderation batch_content_moderation
`
