import type { Attestation } from '@nanoclaw/core';
import { formatTable } from '../output.ts';

const evidenceTexts = { inside: 'seen from inside', engine: "engine's inspect", none: 'nothing shows it' } as const;
const maximumCell = 46;

/** A line per control: what was asked, what was found where that differs, and how it was found. */
export function formatAttestation({ controls }: Attestation, indent = '  '): string {
  const rows = controls.map(({ control, expected, found, evidence, outcome }) => [
    control,
    outcome,
    cut(expected),
    found === expected ? '=' : cut(found),
    evidenceTexts[evidence],
  ]);
  return formatTable([['CONTROL', 'OUTCOME', 'EXPECTED', 'FOUND', 'EVIDENCE'], ...rows], indent);
}

function cut(text: string): string {
  return text.length > maximumCell ? `${text.slice(0, maximumCell - 1)}…` : text;
}
