import { createError } from '../errors/nanoclaw-error.ts';
import { controlSupport } from '../runtime/control-support.ts';
import { controlNames } from '../runtime/controls.ts';
import { printable } from '../text.ts';
import type { Attestation, AttestedControl, CheckContext } from './attestation.ts';
import { checks } from './checks.ts';

/**
 * Compares the runner's report with the spec, control by control. Throws `POLICY_NOT_ENFORCED` with every difference; the
 * caller then destroys the container.
 */
export function attest(context: CheckContext, runtime: string, runnerVersion: string): Attestation {
  const controls = controlNames.map((control) => attestControl(control, context));
  const differences = controls.filter((control) => control.outcome === 'different');
  const [first] = differences;
  if (first !== undefined) {
    const list = differences
      .map(({ control, expected, found }) => `${control} (expected ${expected}; found ${found})`)
      .join(', ');
    throw createError(
      'POLICY_NOT_ENFORCED',
      `${context.capabilities.product} did not enforce the policy: ${list}. The container was destroyed before anything ran in it. ` +
        `See \`nanoclaw doctor\`; to run without a control, name it in the policy: relax: [${first.control}].`,
      {
        control: first.control,
        differences: differences.map(({ control, expected, found }) => ({ control, expected, found })),
      },
    );
  }
  return {
    runtime,
    product: context.capabilities.product,
    productVersion: context.capabilities.version,
    runnerVersion: printable(runnerVersion, 64),
    imageDigest: context.spec.image.digest,
    kernel: printable(context.report.kernel, 128),
    attestedAt: new Date().toISOString(),
    controls,
    warnings: context.capabilities.warnings,
  };
}

function attestControl(control: AttestedControl['control'], context: CheckContext): AttestedControl {
  const { spec, capabilities } = context;
  const support = controlSupport(capabilities, spec.isolation, control);
  const relaxed = spec.relaxed.includes(control);
  const evidence = support.supported ? support.evidence : 'none';
  const check = evidence === 'inside' ? checks[control] : undefined;
  if (check !== undefined) {
    const finding = check(context);
    const outcome = finding.matches ? 'verified' : relaxed ? 'relaxed' : 'different';
    return {
      control,
      expected: printable(finding.expected, 500),
      found: printable(finding.found, 500),
      evidence,
      outcome,
    };
  }
  if (evidence === 'engine') {
    // The driver compared every field of the engine's inspect with the spec before it let the container go.
    // For a relaxed control it let a difference pass, so nothing is claimed.
    if (relaxed) return { control, expected: 'in force', found: 'not held to it', evidence, outcome: 'relaxed' };
    return { control, expected: 'as asked', found: 'as asked', evidence, outcome: 'verified' };
  }
  const reason = support.supported ? 'nothing shows it from inside' : support.reason;
  return { control, expected: 'in force', found: reason, evidence: 'none', outcome: relaxed ? 'relaxed' : 'different' };
}
