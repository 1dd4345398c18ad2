import type { SandboxProcess } from '@nanoclaw/core';
import { terminalSize } from './execute.ts';
import type { TerminalFilter } from './terminal-filter.ts';

/** Hands our terminal to a command: keys as they are typed, and its size as it changes. Puts it right at the end. */
export function lendTerminal(command: SandboxProcess, options: { readonly input: boolean }): Disposable {
  const { stdin, stdout } = process;
  const onResize = (): void => command.resize(terminalSize());
  const raw = options.input && stdin.isTTY;
  if (raw) stdin.setRawMode(true);
  stdout.on('resize', onResize);
  return {
    [Symbol.dispose]() {
      stdout.off('resize', onResize);
      if (raw && !stdin.destroyed) stdin.setRawMode(false);
    },
  };
}

/** Modes that a command left behind (another screen, a hidden cursor, mouse reports) would stay with the shell. */
export function resetTerminal(filter: TerminalFilter): void {
  process.stdout.write(filter.reset);
}
