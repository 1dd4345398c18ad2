import type { RunnerReport } from '../protocol/messages.ts';
import type { RuntimeCapabilities } from '../runtime/capabilities.ts';
import type { ContainerSpec } from '../runtime/container-spec.ts';
import type { ControlName, Evidence } from '../runtime/controls.ts';

/** What was asked, what was found, and how it was found, for one control of one sandbox. */
export interface AttestedControl {
  readonly control: ControlName;
  readonly expected: string;
  readonly found: string;
  readonly evidence: Evidence;
  /**
   * `verified`: found as asked. `different`: found otherwise; such a sandbox is destroyed before it runs anything.
   * `relaxed`: the policy gave this control up by name, and it is not (or can't be shown to be) in force.
   */
  readonly outcome: 'verified' | 'different' | 'relaxed';
}

/** The proof that a sandbox is what its policy asked for, taken before the first untrusted byte ran. */
export interface Attestation {
  readonly runtime: string;
  readonly product: string;
  readonly productVersion: string;
  readonly runnerVersion: string;
  readonly imageDigest: string;
  readonly kernel: string;
  readonly attestedAt: string;
  readonly controls: readonly AttestedControl[];
  /** What an operator should know of the engine, e.g. an OCI runtime with known escapes; nothing was refused for it. */
  readonly warnings: readonly string[];
}

/** What a check gets to see. */
export interface CheckContext {
  readonly spec: ContainerSpec;
  readonly report: RunnerReport;
  readonly capabilities: RuntimeCapabilities;
}

export interface Finding {
  readonly expected: string;
  readonly found: string;
  readonly matches: boolean;
}

export type Check = (context: CheckContext) => Finding;
