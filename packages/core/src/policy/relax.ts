import type { ControlName } from '../runtime/controls.ts';

/**
 * The floor: controls without which it is no sandbox, and two for which a field of the policy says what is wanted. Each
 * with the reason that a user is told.
 */
export const unrelaxable: ReadonlyMap<ControlName, string> = new Map([
  ['user', 'a sandbox never runs as root'],
  ['capabilities', 'a sandbox has no capabilities'],
  ['no-new-privileges', 'a sandbox gains no privileges'],
  ['network', "choose the tier with the field 'network'"],
  ['isolation', "choose the level with the field 'isolation'"],
]);
