/** Masked in every container, readable as nothing. An engine skips what its kernel doesn't have. */
const masked: readonly string[] = [
  // Docker 28's list.
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
  // What it leaves readable of the host: its boot arguments, how its kernel was built and where that lies in memory.
  '/proc/cmdline',
  '/proc/config.gz',
  '/proc/kallsyms',
  '/proc/key-users',
  // How hard the machine works, and a way to have the kernel watch it for us.
  '/proc/pressure',
  '/sys/kernel/notes',
  '/sys/kernel/vmcoreinfo',
];

/** Read-only in every container, whatever a process of its is allowed. */
export const readOnlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/**
 * The paths that a container has masked on a host with so many CPUs: each CPU has a directory of throttling counts,
 * which tell what neighbours do, as interrupts and power figures do.
 */
export function maskedPaths(cpuCount: number): readonly string[] {
  const throttling = Array.from({ length: cpuCount }, (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`);
  return [...masked, ...throttling];
}
