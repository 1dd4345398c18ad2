import { z } from 'zod';
import { violation } from './violation.ts';

const count = z.int().min(0);
const nullableCount = count.nullable();
const hex64 = z.string().regex(/^[0-9a-f]{16}$/);
const text = z.string().max(65_536);
const shortText = z.string().max(4_096);
const limit = z.tuple([z.int().min(-1), z.int().min(-1)]);

/** The runner's report: plain facts from inside. See docs/protocol.md. */
export const reportSchema = z.strictObject({
  pid: count,
  uids: z.array(count).length(3),
  gids: z.array(count).length(3),
  groups: z.array(count).max(65_536),
  umask: count,
  capabilities: z.strictObject({
    inheritable: hex64,
    permitted: hex64,
    effective: hex64,
    bounding: hex64,
    ambient: hex64,
  }),
  noNewPrivileges: z.boolean(),
  dumpable: count,
  seccompMode: count,
  seccompFilters: count,
  securityLabel: shortText,
  probes: z.record(z.string().max(64), z.string().max(32)),
  mountInfo: z.string().max(262_144),
  filesystems: z
    .array(
      z.strictObject({
        path: shortText,
        type: z.string().max(64),
        sizeBytes: count,
        inodes: count,
        flags: z.array(z.string().max(32)).max(32),
      }),
    )
    .max(512),
  interfaces: z
    .array(
      z.strictObject({
        name: z.string().max(64),
        index: count,
        up: z.boolean(),
        loopback: z.boolean(),
        addresses: z.array(z.string().max(128)).max(256),
      }),
    )
    .max(256),
  routes4: count,
  routes6: count,
  cgroup: z.strictObject({
    version: z.int().min(0).max(2),
    paths: z.array(shortText).max(64),
    memoryMaxBytes: nullableCount,
    swapMaxBytes: nullableCount,
    pidsMax: nullableCount,
    cpuQuotaUs: nullableCount,
    cpuPeriodUs: nullableCount,
    cpuShares: nullableCount,
    cpuWeight: nullableCount,
  }),
  rlimits: z.record(z.string().max(32), limit),
  namespaces: z.record(z.string().max(32), z.string().max(64)),
  uidMap: text,
  gidMap: text,
  hostname: z.string().max(256),
  devices: z
    .array(z.strictObject({ path: shortText, type: z.string().max(32), major: count, minor: count }))
    .max(1_024),
  openFiles: z.array(z.strictObject({ fd: count, target: shortText })).max(1_024),
  maskedPaths: z.record(shortText, z.enum(['absent', 'empty', 'unreadable', 'readable', 'writable'])),
  rootWrite: z.string().max(32),
  oomScoreAdj: z.int(),
  kernel: z.string().max(256),
  architecture: z.string().max(64),
  environmentNames: z.array(shortText).max(4_096),
});

/** What the runner reports of the container it is in. */
export type RunnerReport = z.infer<typeof reportSchema>;

export const welcomeSchema = z.strictObject({
  protocol: z.literal(1),
  nonce: z.string().max(64),
  runner: z.string().max(128),
  report: reportSchema,
});

export const goodbyeSchema = z.strictObject({ reason: z.enum(['lifetime', 'terminated']) });

export const execEventSchema = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('started'), pid: count }),
  z.strictObject({
    event: z.literal('exited'),
    exitCode: z.int().min(0).max(255).nullable(),
    signal: z.int().min(1).max(64).nullable(),
    timedOut: z.boolean(),
    oomKilled: z.boolean(),
  }),
]);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const readDoneSchema = z.strictObject({ event: z.literal('done'), size: count, sha256, mode: count });
export const writeDoneSchema = z.strictObject({ event: z.literal('done'), size: count, sha256 });
export const archiveDoneSchema = z.strictObject({ event: z.literal('done'), size: count, sha256, count });
export const listDoneSchema = z.strictObject({ event: z.literal('done'), count });
export const doneSchema = z.strictObject({ event: z.literal('done') });
export const connectedSchema = z.strictObject({ event: z.literal('connected') });
export const reportEventSchema = z.strictObject({ event: z.literal('report'), report: reportSchema });

export const entrySchema = z.strictObject({
  nameBase64: z.base64().max(8_192),
  type: z.enum(['file', 'directory', 'symlink', 'fifo', 'socket', 'block', 'character']),
  size: count,
  mode: count,
  uid: count,
  gid: count,
  modifiedMs: z.int(),
  targetBase64: z.union([z.literal(''), z.base64().max(8_192)]),
});
export type WireEntry = z.infer<typeof entrySchema>;
export const statSchema = z.strictObject({ event: z.literal('stat'), entry: entrySchema });

/** Parses what the runner said; anything else than the schema is a violation. */
export function parseMessage<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = (issue?.path ?? [])
    .map((part) =>
      String(part)
        .replace(/[^\w-]/g, '?')
        .slice(0, 40),
    )
    .join('.');
  throw violation(`a message with a wrong "${path}" (${issue?.code ?? 'invalid'})`);
}
