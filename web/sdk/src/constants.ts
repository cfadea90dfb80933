// The names and values that applications written for the official SDK use, for what the server serves.

export const EVENT = {
  SDK_READY: "sdkStateReady",
  SDK_NOT_READY: "sdkStateNotReady",
  SDK_DESTROY: "sdkDestroy",
  PROFILE_UPDATED: "onProfileUpdated",
  USER_STATUS_UPDATED: "onUserStatusUpdated",
  BLACKLIST_UPDATED: "blacklistUpdated",
  FRIEND_LIST_UPDATED: "onFriendListUpdated",
  FRIEND_GROUP_LIST_UPDATED: "onFriendGroupListUpdated",
  FRIEND_APPLICATION_LIST_UPDATED: "onFriendApplicationListUpdated",
  KICKED_OUT: "kickedOut",
  NET_STATE_CHANGE: "netStateChange",
  ERROR: "error",
} as const;

export const TYPES = {
  USER_STATUS_UNKNOWN: 0,
  USER_STATUS_ONLINE: 1,
  USER_STATUS_OFFLINE: 2,
  USER_STATUS_UNLOGINED: 3,
  NET_STATE_CONNECTED: "connected",
  NET_STATE_CONNECTING: "connecting",
  NET_STATE_DISCONNECTED: "disconnected",
  KICKED_OUT_MULT_ACCOUNT: "multipleAccount",
  KICKED_OUT_MULT_DEVICE: "multipleDevice",
  KICKED_OUT_USERSIG_EXPIRED: "userSigExpired",
  KICKED_OUT_REST_API: "REST_API_Kick",
  GENDER_UNKNOWN: "Gender_Type_Unknown",
  GENDER_FEMALE: "Gender_Type_Female",
  GENDER_MALE: "Gender_Type_Male",
  ALLOW_TYPE_ALLOW_ANY: "AllowType_Type_AllowAny",
  ALLOW_TYPE_NEED_CONFIRM: "AllowType_Type_NeedConfirm",
  ALLOW_TYPE_DENY_ANY: "AllowType_Type_DenyAny",
  FORBID_TYPE_NONE: "AdminForbid_Type_None",
  FORBID_TYPE_SEND_OUT: "AdminForbid_Type_SendOut",
  SNS_ADD_TYPE_SINGLE: "Add_Type_Single",
  SNS_ADD_TYPE_BOTH: "Add_Type_Both",
  SNS_DELETE_TYPE_SINGLE: "Delete_Type_Single",
  SNS_DELETE_TYPE_BOTH: "Delete_Type_Both",
  SNS_APPLICATION_TYPE_BOTH: "Pendency_Type_Both",
  SNS_APPLICATION_SENT_TO_ME: "Pendency_Type_ComeIn",
  SNS_APPLICATION_SENT_BY_ME: "Pendency_Type_SendOut",
  SNS_APPLICATION_AGREE: "Response_Action_Agree",
  SNS_APPLICATION_AGREE_AND_ADD: "Response_Action_AgreeAndAdd",
  SNS_CHECK_TYPE_BOTH: "CheckResult_Type_Both",
  SNS_CHECK_TYPE_SINGLE: "CheckResult_Type_Single",
  SNS_TYPE_NO_RELATION: "CheckResult_Type_NoRelation",
  SNS_TYPE_A_WITH_B: "CheckResult_Type_AWithB",
  SNS_TYPE_B_WITH_A: "CheckResult_Type_BWithA",
  SNS_TYPE_BOTH_WAY: "CheckResult_Type_BothWay",
} as const;

/** The state of the connection as {@link EVENT}.NET_STATE_CHANGE tells it. */
export type NetState = "connected" | "connecting" | "disconnected";

/** Why a session was ended by the server. */
export type KickedOutType = "multipleAccount" | "multipleDevice" | "userSigExpired" | "REST_API_Kick";
