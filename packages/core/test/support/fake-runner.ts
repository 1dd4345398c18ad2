import { type Duplex, duplexPair } from 'node:stream';
import { Connection } from '../../src/protocol/connection.ts';
import { encodeFrame, encodeJson, type Frame, frameTypes } from '../../src/protocol/frame.ts';
import { FrameReader } from '../../src/protocol/frame-reader.ts';
import type { HeartbeatTimes } from '../../src/protocol/heartbeat.ts';
import type { RunnerReport } from '../../src/protocol/messages.ts';

const noCapabilities = '0000000000000000';

/** A report in the right form; what it says matters to the attestation's tests alone. */
export const plausibleReport: RunnerReport = {
  pid: 1,
  uids: [1000, 1000, 1000],
  gids: [1000, 1000, 1000],
  groups: [],
  umask: 18,
  capabilities: {
    inheritable: noCapabilities,
    permitted: noCapabilities,
    effective: noCapabilities,
    bounding: noCapabilities,
    ambient: noCapabilities,
  },
  noNewPrivileges: true,
  dumpable: 0,
  seccompMode: 2,
  seccompFilters: 1,
  securityLabel: '',
  probes: {},
  mountInfo: '',
  filesystems: [],
  interfaces: [],
  routes4: 0,
  routes6: 0,
  cgroup: {
    version: 1,
    paths: ['/'],
    memoryMaxBytes: null,
    swapMaxBytes: null,
    pidsMax: null,
    cpuQuotaUs: null,
    cpuPeriodUs: null,
    cpuShares: null,
    cpuWeight: null,
  },
  rlimits: {},
  namespaces: {},
  uidMap: '',
  gidMap: '',
  hostname: 'sandbox',
  devices: [],
  openFiles: [],
  maskedPaths: {},
  rootWrite: 'EROFS',
  oomScoreAdj: 0,
  kernel: '6.1',
  architecture: 'x86_64',
  environmentNames: [],
};

/** The other end of a connection, played by the test: it may say anything. */
export class FakeRunner {
  readonly channel: Duplex;
  readonly connection: Connection;
  readonly received: Frame[] = [];
  /** Called for every frame of the host's. */
  onFrame: (frame: Frame) => void = () => undefined;
  readonly #reader = new FrameReader();

  constructor(times?: HeartbeatTimes) {
    const [host, runner] = duplexPair({ highWaterMark: 65_536 });
    this.channel = runner;
    this.connection = new Connection(host, times);
    runner.on('error', () => undefined);
    runner.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk, (frame) => {
        this.received.push({ ...frame, payload: Buffer.from(frame.payload) });
        this.onFrame(frame);
        return true;
      });
    });
  }

  send(type: number, stream: number, lane = 0, payload: Uint8Array = new Uint8Array(0)): void {
    this.channel.write(encodeFrame(type, stream, lane, payload));
  }

  sendJson(type: number, stream: number, value: object): void {
    this.channel.write(encodeJson(type, stream, value));
  }

  raw(bytes: Uint8Array): void {
    this.channel.write(bytes);
  }

  hello() {
    return this.connection.hello({
      user: { uid: 1000, gid: 1000 },
      rlimits: { nofile: 64, nproc: null, core: 0, fsize: null },
      maskedPaths: [],
    });
  }

  /** Answers the greeting as an honest runner does. */
  async greet(): Promise<void> {
    const answered = this.hello();
    const { nonce } = await this.next(frameTypes.hello, (payload) => JSON.parse(payload.toString()));
    this.sendJson(frameTypes.welcome, 0, { protocol: 1, nonce, runner: 'fake', report: plausibleReport });
    await answered;
  }

  /** Waits for the next frame of a type. */
  async next<T>(type: number, read: (payload: Buffer, frame: Frame) => T, after = 0): Promise<T> {
    for (let waited = 0; waited < 5_000; waited += 2) {
      const frame = this.received.slice(after).find((candidate) => candidate.type === type);
      if (frame) return read(frame.payload, frame);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error(`the host sent no frame of type 0x${type.toString(16)}`);
  }
}
