// The names and values that applications written for the official SDK use, for what the server serves.

export const EVENT = {
  SDK_READY: "sdkStateReady",
  SDK_NOT_READY: "sdkStateNotReady",
  SDK_DESTROY: "sdkDestroy",
  USER_STATUS_UPDATED: "onUserStatusUpdated",
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
} as const;

/** The state of the connection as {@link EVENT}.NET_STATE_CHANGE tells it. */
export type NetState = "connected" | "connecting" | "disconnected";

/** Why a session was ended by the server. */
export type KickedOutType = "multipleAccount" | "multipleDevice" | "userSigExpired" | "REST_API_Kick";
