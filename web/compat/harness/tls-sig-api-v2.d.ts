declare module "tls-sig-api-v2" {
  export class Api {
    constructor(sdkAppID: number, secretKey: string);
    genUserSig(userID: string, expireS: number): string;
  }
}
