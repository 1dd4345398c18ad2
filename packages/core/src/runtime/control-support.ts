import type { ControlSupport, RuntimeCapabilities } from './capabilities.ts';
import type { ControlName, IsolationLevel } from './controls.ts';

/** How an engine supports a control at a level of isolation. */
export function controlSupport(
  capabilities: RuntimeCapabilities,
  isolation: IsolationLevel,
  control: ControlName,
): ControlSupport {
  return capabilities.isolationControls[isolation]?.[control] ?? capabilities.controls[control];
}
