// UserSigs as an application's back end mints them today: by the original's own library.

import { Api } from "tls-sig-api-v2";

/** What a UserSig is minted with, as a server started with -dev tells it. */
export interface AppKey {
  sdkAppID: number;
  secretKey: string;
}

const dayS = 86_400;

export function mint(app: AppKey, userID: string, expireS = dayS): string {
  return new Api(app.sdkAppID, app.secretKey).genUserSig(userID, expireS);
}
