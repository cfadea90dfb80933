// Profiles: what users say of themselves.

import { EVENT } from "./constants.ts";
import type { Emitter } from "./emitter.ts";
import { invalid } from "./errors.ts";
import { isObject, objects, text } from "./frame.ts";
import { chunked, userIDs } from "./list.ts";
import type { Result, Session } from "./session.ts";
import { cmdProfileGet, cmdProfileSet } from "./wire.gen.ts";

export interface CustomField {
  key: string;
  value: string | number;
}

export interface Profile {
  userID: string;
  nick: string;
  /** One of {@link TYPES}.GENDER_UNKNOWN, GENDER_FEMALE, GENDER_MALE. */
  gender: string;
  /** Such as 19990131. */
  birthday: number;
  location: string;
  selfSignature: string;
  /** Who may add the user as a friend: one of {@link TYPES}.ALLOW_TYPE_ALLOW_ANY, …_NEED_CONFIRM, …_DENY_ANY. */
  allowType: string;
  language: number;
  avatar: string;
  messageSettings: number;
  /** Set by administrators alone. */
  adminForbidType: string;
  level: number;
  role: number;
  /** The fields that the application declares. */
  profileCustomField: CustomField[];
}

/** What a user may change; the types of gender and the like are wide, as the official typings have them. */
export type ProfileChange = {
  [Field in keyof Omit<Profile, "userID" | "profileCustomField">]?: Profile[Field] | string | number;
} & { profileCustomField?: CustomField[] };

/** A field of a profile or of an entry in the list of friends, as it is on the wire. */
export interface Tag {
  tag: string;
  value: unknown;
}

const prefix = "Tag_Profile_IM_";
const customPrefix = "Tag_Profile_Custom_";
const mostAsked = 100; // profiles in one call

const names = {
  nick: "Nick",
  gender: "Gender",
  birthday: "BirthDay",
  location: "Location",
  selfSignature: "SelfSignature",
  allowType: "AllowType",
  language: "Language",
  avatar: "Image",
  messageSettings: "MsgSettings",
  adminForbidType: "AdminForbidType",
  level: "Level",
  role: "Role",
} as const;
type Field = keyof typeof names;
const fields = Object.keys(names) as Field[];

interface ProfilesOptions {
  session: Session;
  emitter: Emitter;
  /** A profile has changed. */
  changed: (profile: Profile) => void;
  /** The profile of a user as it is known, if it is. */
  known: (userID: string) => Profile | undefined;
}

export class Profiles {
  readonly #options: ProfilesOptions;
  #own: Profile | undefined;

  constructor(options: ProfilesOptions) {
    this.#options = options;
  }

  forget(): void {
    this.#own = undefined;
  }

  async getMyProfile(): Promise<Result<Profile>> {
    const self = this.#options.session.userID;
    const [own] = await this.ask([self]);
    this.#own = own ?? empty(self);
    return { code: 0, data: this.#own };
  }

  async getUserProfile(options: { userIDList: string[] }): Promise<Result<Profile[]>> {
    return { code: 0, data: await this.ask(userIDs(options)) };
  }

  async updateMyProfile(options: ProfileChange): Promise<Result<Profile>> {
    if (!isObject(options))
      throw invalid("the profile is no object", 'updateMyProfile takes { nick: "…", … }');
    const items = fields
      .filter((field) => options[field] !== undefined)
      .map((field) => ({ Tag: prefix + names[field], Value: options[field] }));
    for (const { key, value } of options.profileCustomField ?? [])
      items.push({ Tag: key as never, Value: value });
    const { session } = this.#options;
    await session.call(cmdProfileSet, { From_Account: session.userID, ProfileItem: items });
    const before = this.#own;
    const { data } = await this.getMyProfile();
    if (before === undefined || differ(before, data)) this.#tell([data]);
    return { code: 0, data };
  }

  /** Asks for profiles; who does not exist is left out. */
  async ask(users: readonly string[]): Promise<Profile[]> {
    const { session } = this.#options;
    const parts = await Promise.all(
      chunked(users, mostAsked).map(async (part) => {
        const UserItem = part.map((userID) => ({
          To_Account: userID,
          StandardSequence: 0,
          CustomSequence: 0,
        }));
        const answer = await session.call(cmdProfileGet, { From_Account: session.userID, UserItem });
        return objects(answer["UserProfileItem"]).map((item) =>
          withTags(empty(text(item["To_Account"])), tags(item["ProfileItem"])),
        );
      }),
    );
    return parts.flat();
  }

  /** Takes what a push says of profiles. Where one is not known it is asked for. */
  pushed(list: unknown): void {
    const news: Profile[] = [];
    const unknown: string[] = [];
    for (const item of objects(list)) {
      const userID = text(item["Profile_Account"]);
      const isOwn = userID === this.#options.session.userID;
      const before = isOwn ? this.#own : this.#options.known(userID);
      if (before === undefined) unknown.push(userID);
      else {
        const after = withTags(before, tags(item["ProfileList"]));
        if (isOwn) this.#own = after;
        if (differ(before, after)) news.push(after);
      }
    }
    this.#tell(news);
    if (unknown.length === 0) return;
    this.ask(unknown).then(
      (profiles) => this.#tell(profiles),
      () => {}, // the session is over, or the connection; who needs the profile asks
    );
  }

  #tell(profiles: Profile[]): void {
    if (profiles.length === 0) return;
    for (const profile of profiles) {
      if (profile.userID === this.#options.session.userID) this.#own = profile;
      this.#options.changed(profile);
    }
    this.#options.emitter.emit(EVENT.PROFILE_UPDATED, profiles);
  }
}

/** The profile of a user who has set nothing. */
export function empty(userID: string): Profile {
  return {
    userID,
    nick: "",
    gender: "Gender_Type_Unknown",
    birthday: 0,
    location: "",
    selfSignature: "",
    allowType: "AllowType_Type_AllowAny",
    language: 0,
    avatar: "",
    messageSettings: 0,
    adminForbidType: "AdminForbid_Type_None",
    level: 0,
    role: 0,
    profileCustomField: [],
  };
}

/** Reads a list of tags, of an answer or of a push. */
export function tags(list: unknown): Tag[] {
  return objects(list).map((item) => ({
    tag: text(item["Tag"]),
    value: item["Value"] ?? item["ValueBytes"] ?? item["ValueNum"],
  }));
}

/** The profile with what the tags say. */
export function withTags(profile: Profile, list: readonly Tag[]): Profile {
  const after: Profile = { ...profile };
  for (const { tag, value } of list) {
    const field = fields.find((name) => prefix + names[name] === tag);
    if (field !== undefined && typeof value === typeof after[field]) Object.assign(after, { [field]: value });
  }
  return { ...after, profileCustomField: withCustom(profile.profileCustomField, list, customPrefix) };
}

/** Custom fields with what the tags of a prefix say. */
export function withCustom(
  before: readonly CustomField[],
  list: readonly Tag[],
  start: string,
): CustomField[] {
  const all = new Map(before.map(({ key, value }) => [key, value]));
  for (const { tag, value } of list) if (tag.startsWith(start)) all.set(tag, value as CustomField["value"]);
  return [...all].map(([key, value]) => ({ key, value }));
}

/** Whether two things differ that are made in the same order of the same parts. */
export function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}
