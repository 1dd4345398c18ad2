import { createError } from '../errors/nanoclaw-error.ts';
import type { RuntimeCapabilities, Unsupported } from '../runtime/capabilities.ts';
import { controlSupport } from '../runtime/control-support.ts';
import { type ControlName, controlNames } from '../runtime/controls.ts';
import type { Policy } from './policy.ts';
import { unrelaxable } from './relax.ts';
import { formatSize } from './units.ts';

/** A control that an engine doesn't enforce or can't show, and what can be done about it. */
export interface MissingControl {
  readonly control: ControlName;
  readonly reason: string;
  readonly cure: string;
}

/** The controls that a sandbox of this policy is held to: all of them; `mounts` only where there are some. */
export function requiredControls(policy: Policy): readonly ControlName[] {
  return controlNames.filter((control) => control !== 'mounts' || policy.mounts.length > 0);
}

/** What a policy needs and an engine doesn't have, relaxed controls included, in the order of `controlNames`. */
export function missingControls(policy: Policy, capabilities: RuntimeCapabilities): readonly MissingControl[] {
  return requiredControls(policy).flatMap((control) => {
    const missing = missingFor(control, policy, capabilities);
    return missing === undefined ? [] : [{ control, reason: missing.reason, cure: missing.cure }];
  });
}

function missingFor(
  control: ControlName,
  policy: Policy,
  capabilities: RuntimeCapabilities,
): Omit<Unsupported, 'supported'> | undefined {
  const support = controlSupport(capabilities, policy.isolation, control);
  if (!support.supported) return support;
  if (support.evidence === 'none') {
    return {
      reason: 'nothing shows whether the engine enforces it',
      cure: 'use an engine whose enforcement can be verified',
    };
  }
  switch (control) {
    case 'isolation':
      return unsupported(capabilities.isolation[policy.isolation]);
    case 'network':
      return unsupported(capabilities.networks[policy.network]);
    case 'mounts':
      if (capabilities.sharesFiles) return undefined;
      return {
        reason: "the engine doesn't share this host's files",
        cure: 'copy the files in instead of mounting them',
      };
    case 'memory':
      if (capabilities.memoryBytes <= 0 || policy.memoryBytes <= capabilities.memoryBytes) return undefined;
      return {
        reason: `a limit of ${formatSize(policy.memoryBytes)} limits nothing on a host with ${formatSize(capabilities.memoryBytes)}`,
        cure: "lower 'memory', or use a bigger host",
      };
    default:
      return undefined;
  }
}

function unsupported(support: { readonly supported: true } | Unsupported): Unsupported | undefined {
  return support.supported ? undefined : support;
}

/**
 * Compares what a policy needs with what an engine has, before anything is started.
 *
 * @returns the controls that are missing and relaxed by name, so that they can be told and left out of the attestation.
 * @throws NanoclawError `CONTROL_UNSUPPORTED`, which names every control that is missing and not relaxed, with the
 * engine's reason, the cure, and how to relax it; `details.control` and `details.cure` are those of the first.
 */
export function assertSupported(policy: Policy, capabilities: RuntimeCapabilities): readonly ControlName[] {
  const missing = missingControls(policy, capabilities);
  const refused = missing.filter(({ control }) => !policy.relax.includes(control));
  const [first] = refused;
  if (first === undefined) return missing.map(({ control }) => control);
  const lines = refused.map(
    ({ control, reason, cure }) => `${control} (${describe(control, policy)}): ${reason}. To cure it: ${cure}.`,
  );
  const engine = `${capabilities.product} ${capabilities.version}`;
  throw createError(
    'CONTROL_UNSUPPORTED',
    [
      `${engine} can't enforce what the policy asks for:`,
      ...lines.map((line) => `  - ${line}`),
      advice(refused, policy),
    ].join('\n'),
    {
      control: first.control,
      cure: first.cure,
      problems: refused.map(({ control, reason, cure }) => ({
        path: control,
        message: `${reason}. To cure it: ${cure}.`,
      })),
    },
  );
}

function describe(control: ControlName, policy: Policy): string {
  switch (control) {
    case 'isolation':
      return policy.isolation;
    case 'network':
      return `tier '${policy.network}'`;
    case 'memory':
      return formatSize(policy.memoryBytes);
    case 'pids':
      return String(policy.pids);
    case 'cpu':
      return `${policy.cpuMillis / 1000} CPUs`;
    default:
      return 'required';
  }
}

function advice(refused: readonly MissingControl[], policy: Policy): string {
  const relaxable = refused.map(({ control }) => control).filter((control) => !unrelaxable.has(control));
  if (policy.preset === 'strict') return "The preset 'strict' relaxes nothing.";
  if (relaxable.length === 0) return 'None of these can be relaxed.';
  const names = [...policy.relax, ...relaxable].map((control) => `'${control}'`).join(', ');
  return `To go without ${relaxable.length === 1 ? 'it' : 'them'}, knowing what that means, add to the policy: relax: [${names}]`;
}
