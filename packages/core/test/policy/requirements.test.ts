import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { unrelaxable } from '../../src/policy/relax.ts';
import { assertSupported, requiredControls } from '../../src/policy/requirements.ts';
import type { RuntimeCapabilities } from '../../src/runtime/capabilities.ts';
import { type ControlName, controlNames } from '../../src/runtime/controls.ts';
import { capabilitiesOf, errorOf } from './support.ts';

const missing = { supported: false, reason: 'the engine is old', cure: 'update it' } as const;

function without(...names: ControlName[]): RuntimeCapabilities {
  const all = capabilitiesOf();
  return { ...all, controls: { ...all.controls, ...Object.fromEntries(names.map((name) => [name, missing])) } };
}

test('an engine that can do everything is enough for every preset', () => {
  for (const preset of ['default', 'strict', 'openclaw'])
    expect(assertSupported(parsePolicy(preset), capabilitiesOf())).toEqual([]);
});

test('every control is required, mounts where there are some', () => {
  expect(requiredControls(parsePolicy())).toEqual(controlNames.filter((name) => name !== 'mounts'));
  expect(requiredControls(parsePolicy({ mounts: ['/srv/x:/x'] }))).toEqual(controlNames);
});

describe.each(controlNames)('%s', (control) => {
  const mounts = control === 'mounts' ? ['/srv/x:/x'] : [];

  test('is refused where it is missing, with reason and cure', () => {
    const error = errorOf(() => assertSupported(parsePolicy({ mounts }), without(control)));
    expect(error).toMatchObject({ code: 'CONTROL_UNSUPPORTED', details: { control, cure: 'update it' } });
    expect(error.message).toContain(`${control} (`);
    expect(error.message).toContain('the engine is old. To cure it: update it.');
    expect(error.message.includes(`relax: ['${control}']`)).toBe(!unrelaxable.has(control));
  });

  test('is refused where nothing shows it', () => {
    const all = capabilitiesOf();
    const unseen = { ...all, controls: { ...all.controls, [control]: { supported: true, evidence: 'none' } as const } };
    expect(errorOf(() => assertSupported(parsePolicy({ mounts }), unseen)).details.control).toBe(control);
  });
});

test.each(controlNames.filter((name) => !unrelaxable.has(name)))(
  '%s is told and not refused where it is relaxed',
  (control) => {
    const policy = parsePolicy({ mounts: control === 'mounts' ? ['/srv/x:/x'] : [], relax: [control] });
    expect(assertSupported(policy, without(control))).toEqual([control]);
    expect(assertSupported(policy, capabilitiesOf())).toEqual([]);
  },
);

test('all that is missing is named at once, with what to write', () => {
  const engine = without('memory', 'swap', 'pids', 'user');
  const error = errorOf(() => assertSupported(parsePolicy({ relax: ['swap'] }), engine));
  expect(error.message).toMatchInlineSnapshot(`
    "Test Engine 1.0 can't enforce what the policy asks for:
      - user (required): the engine is old. To cure it: update it.
      - memory (512m): the engine is old. To cure it: update it.
      - pids (256): the engine is old. To cure it: update it.
    To go without them, knowing what that means, add to the policy: relax: ['swap', 'memory', 'pids']"
  `);
  expect(error.details.problems?.map(({ path }) => path)).toEqual(['user', 'memory', 'pids']);
  expect(errorOf(() => assertSupported(parsePolicy('strict'), engine)).message).toContain("'strict' relaxes nothing");
});

test('isolation, network, shared files and the size of the host are looked at', () => {
  const all = capabilitiesOf();
  const weak = {
    ...all,
    sharesFiles: false,
    memoryBytes: 2 ** 30,
    isolation: { ...all.isolation, gvisor: missing },
    networks: { ...all.networks, none: missing },
  };
  const policy = parsePolicy({ isolation: 'gvisor', mounts: ['/srv/x:/x'], memory: '2g' });
  expect(errorOf(() => assertSupported(policy, weak)).details.problems?.map(({ path }) => path)).toEqual([
    'mounts',
    'memory',
    'network',
    'isolation',
  ]);
  expect(assertSupported(parsePolicy({ network: 'fenced' }), weak)).toEqual([]);
});
