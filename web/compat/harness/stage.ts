// What every test file needs: one server for the file, user names of its own for each test, and an end in which all
// devices leave and none has anything to complain of.

import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { Backend } from "./backend.ts";
import { Device, type DeviceOptions } from "./device.ts";
import { Operator } from "./operator.ts";
import { Server, type Settings } from "./server.ts";
import { type AppKey, mint } from "./usersig.ts";
import { Wire } from "./wire.ts";

export class Stage {
  #server: Server | undefined;
  #devices: Device[] = [];
  #wires: Wire[] = [];
  #test = 0;

  get server(): Server {
    if (this.#server === undefined) throw new Error("the server runs only while tests do");
    return this.#server;
  }

  /** Who gives orders to the server. */
  get operator(): Operator {
    return new Operator(this.server);
  }

  /** The back end of the application that -dev makes. */
  get backend(): Backend {
    return new Backend(this.server.ready);
  }

  /** A user ID that no other test of the file uses. */
  id(name: string): string {
    return `${name}-${this.#test}`;
  }

  /** A device that nobody has logged in on. */
  device(options: Partial<DeviceOptions> = {}): Device {
    const { sdkAppID, ws } = this.server.ready;
    const device = new Device({ sdkAppID, ws, ...options });
    this.#devices.push(device);
    return device;
  }

  /** A device on which this user is logged in and ready. */
  async login(userID: string, options: Partial<DeviceOptions> = {}): Promise<Device> {
    const device = this.device(options);
    await device.login(userID, this.userSig(userID));
    return device;
  }

  /** The same in an application that the test has made. */
  async loginTo(app: AppKey, userID: string): Promise<Device> {
    const device = this.device({ sdkAppID: app.sdkAppID });
    await device.login(userID, mint(app, userID));
    return device;
  }

  /** A wire to the server that the test may cut. */
  async wire(): Promise<Wire> {
    const wire = await Wire.to(this.server.ready.ws);
    this.#wires.push(wire);
    return wire;
  }

  userSig(userID: string, expireS?: number): string {
    return mint(this.server.ready, userID, expireS);
  }

  /** A UserSig of an application that the test has made. */
  userSigOf(app: AppKey, userID: string): string {
    return mint(app, userID);
  }

  async start(settings: Settings): Promise<void> {
    this.#server = await Server.start(settings);
  }

  async end(): Promise<void> {
    await this.#server?.dispose();
    this.#server = undefined;
  }

  nextTest(): void {
    this.#test += 1;
    this.#devices = [];
    this.#wires = [];
  }

  async endTest(): Promise<void> {
    await Promise.all(this.#devices.map((device) => device.closePage()));
    await Promise.all(this.#wires.map((wire) => wire.close()));
    expect(this.#devices.flatMap((device) => device.traffic.faults)).toEqual([]);
  }

  story(): string {
    const devices = this.#devices.map((device, index) => `--- device ${index + 1}\n${device.story()}`);
    return [...devices, "--- the server's standard error", this.#server?.stderr ?? ""].join("\n");
  }
}

/** To be called once, at the top of a test file. */
export function stage(settings: Settings = {}): Stage {
  const result = new Stage();
  beforeAll(() => result.start(settings));
  beforeEach((context) => {
    result.nextTest();
    context.onTestFailed(() => console.error(result.story()));
  });
  afterEach(() => result.endTest());
  afterAll(() => result.end());
  return result;
}
