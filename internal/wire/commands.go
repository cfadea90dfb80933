package wire

// The commands of the official client that the server knows, as they stand in
// the head's servcmd.
const (
	CmdHeartbeat = "heartbeat.alive"
	CmdLogin     = "im_open_status.wslogin"
	CmdLogout    = "im_open_status.wslogout"
	CmdHello     = "im_open_status.wshello"
	CmdTelemetry = "imopenstat.tim_web_report_v2"
	CmdPushAck   = "openim.ws_msg_push_ack"

	CmdSetStatus   = "im_open_status.ws_set_custom_status"
	CmdGetStatus   = "im_open_status.ws_get_user_status"
	CmdSubscribe   = "im_open_status.ws_status_subscribe"
	CmdUnsubscribe = "im_open_status.ws_status_unsubscribe"

	CmdConversations = "recentcontact.page_get"
	CmdContactGroups = "recentcontact.get_contact_group"
	CmdGroups        = "group_open_http_svc.get_joined_group_list"
	CmdCommunities   = "million_group_open_http_svc.get_joined_group_list"
	CmdMessages      = "openim.getmsg"
	CmdConfig        = "im_sdk_config_mgr.fetch_config"
	CmdAbilities     = "im_sdk_config_mgr.fetch_imsdk_purchase_bitsv2"
)

// The commands about profiles, friends and blocklists.
const (
	CmdProfileGet       = "profile.portrait_get_all"
	CmdProfileSet       = "profile.portrait_set"
	CmdFriendGet        = "sns.friend_get"
	CmdFriendSome       = "sns.friend_get_specified"
	CmdFriendAdd        = "sns.friend_add"
	CmdFriendUpdate     = "sns.friend_update"
	CmdFriendDelete     = "sns.friend_delete"
	CmdFriendCheck      = "sns.friend_check"
	CmdFriendRespond    = "sns.friend_response"
	CmdPendencyGet      = "sns.pendency_get"
	CmdPendencyDelete   = "sns.pendency_delete"
	CmdPendencyReport   = "sns.pendency_report"
	CmdFriendGroupGet   = "sns.group_get"
	CmdFriendGroupAdd   = "sns.group_add"
	CmdFriendGroupDrop  = "sns.group_delete"
	CmdFriendGroupAlter = "sns.group_update"
	CmdBlacklistGet     = "sns.black_list_get"
	CmdBlacklistAdd     = "sns.black_list_add"
	CmdBlacklistDelete  = "sns.black_list_delete"
	CmdBlacklistCheck   = "sns.black_list_check"
)

// The commands of frames that the server sends unasked.
const (
	PushEvents    = "im_open_push.msg_push"
	PushKick      = "im_open_status.stat_forceoffline"
	PushAbilities = "im_sdk_config_mgr.push_imsdk_purchase_bitsv2" // an [Abilitied]
	PushConfig    = "im_sdk_config_mgr.push_configv2"              // a [Config]
	PushError     = "porchlight.error"                             // a frame that could not be read, so not answered by name
)
