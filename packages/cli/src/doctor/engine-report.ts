import {
  type ControlSupport,
  controlNames,
  type Evidence,
  isolationLevels,
  missingControls,
  type Policy,
  type RuntimeCapabilities,
} from '@nanoclaw/core';
import type { Found } from '../engines.ts';
import { wrap } from '../output.ts';

/** What `doctor --json` says of one engine. */
export function toEngineJson(found: Found, policy: Policy): object {
  const { place, isDefault } = found.candidate;
  if (!('capabilities' in found))
    return { place, isDefault, reachable: false, enforcesDefaultPolicy: false, error: found.error };
  const { capabilities } = found;
  const missing = missingControls(policy, capabilities);
  const {
    product,
    version,
    details,
    architecture,
    cpuCount,
    memoryBytes,
    sharesFiles,
    controls,
    isolation,
    networks,
    build,
    warnings,
  } = capabilities;
  return {
    place,
    isDefault,
    reachable: true,
    enforcesDefaultPolicy: missing.length === 0,
    product,
    version,
    details,
    architecture,
    cpuCount,
    memoryBytes,
    sharesFiles,
    controls,
    missing,
    isolation,
    networks,
    build,
    warnings,
  };
}

/** The same for people: one paragraph. */
export function describeEngine(found: Found, policy: Policy): string {
  const { place, isDefault } = found.candidate;
  const used = isDefault ? ', used by default' : '';
  if (!('capabilities' in found)) return `${place}${used}: no engine\n${wrap(found.error.message, '  ')}`;
  const { capabilities } = found;
  const missing = missingControls(policy, capabilities);
  const lines = [
    `${capabilities.product} ${capabilities.version} at ${capabilities.details.endpoint ?? place} (${place}${used})`,
    wrap(describeDetails(capabilities), '  '),
    missing.length === 0
      ? `  default policy: enforced, all ${controlNames.length} controls`
      : `  default policy: NOT enforced, ${missing.length} of ${controlNames.length} controls are missing`,
    ...missing.map(({ control, reason, cure }) => wrap(`- ${control}: ${reason} To cure it: ${cure}`, '    ')),
    ...evidenceLines(capabilities),
    ...isolationLevels.map((level) => describeIsolation(level, capabilities)),
    ...capabilities.warnings.map((warning) => wrap(`! ${warning}`, '  ')),
  ];
  return lines.join('\n');
}

function describeDetails({ details, architecture, cpuCount, memoryBytes, sharesFiles }: RuntimeCapabilities): string {
  const facts = Object.entries(details)
    .filter(([name]) => name !== 'endpoint' && name !== 'endpointSource')
    .map(([name, value]) => `${name} ${value}`);
  const gibibytes = (memoryBytes / 2 ** 30).toFixed(1);
  const files = sharesFiles ? "shares this host's files" : "doesn't share this host's files";
  return [...facts, architecture, `${cpuCount} CPUs`, `${gibibytes} GiB`, files].join(' · ');
}

function evidenceLines({ controls }: RuntimeCapabilities): string[] {
  const shown = (evidence: Evidence): string[] =>
    controlNames.filter((name) => evidenceOf(controls[name]) === evidence);
  return (
    [
      ['verified from inside', shown('inside')],
      ["verified by the engine's inspect", shown('engine')],
      ['not verifiable', shown('none')],
    ] as const
  )
    .filter(([, names]) => names.length > 0)
    .map(([title, names]) => wrap(`${title}: ${names.join(', ')}`, '  '));
}

function evidenceOf(support: ControlSupport): Evidence | undefined {
  return support.supported ? support.evidence : undefined;
}

function describeIsolation(level: (typeof isolationLevels)[number], { isolation }: RuntimeCapabilities): string {
  const support = isolation[level];
  return support.supported
    ? `  isolation ${level}: yes`
    : wrap(`isolation ${level}: no, ${support.reason} To cure it: ${support.cure}`, '  ');
}
