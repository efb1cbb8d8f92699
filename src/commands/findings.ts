import type { Finding } from '../../selftest/finding.ts';
import { withOwnCommand } from '../ground/config/own-command.ts';
import { interpolate } from '../ground/languages/languages.ts';
import { jsonLine, printable } from '../ground/text/printable.ts';

export type FindingsPrinter = ReturnType<typeof createFindingsPrinter>;

/** Prints findings as text, or as lines of JSON. Both escape control characters, which a malicious server could put into a finding. */
export function createFindingsPrinter(json: boolean) {
  const counts = { ok: 0, warning: 0, wrong: 0 };
  return {
    print(check: string, { state, message, fix, values }: Finding): void {
      counts[state] += 1;
      const shown = { state, message: interpolate(message, values), ...(fix && { fix: interpolate(fix, values) }) };
      process.stdout.write(json ? jsonLine({ check, ...shown }) : withOwnCommand(formatLine(check, shown)));
    },
    conclude(): boolean {
      if (!json) process.stdout.write(`\n${summary(counts)}\n`);
      return counts.wrong === 0;
    },
  };
}

/** Widths of the columns for the state and the check. The longest name is `second-factors`. */
const [stateWidth, checkWidth] = [9, 15];

function formatLine(check: string, { state, message, fix }: Omit<Finding, 'values'>): string {
  const indent = ' '.repeat(stateWidth + checkWidth);
  return `${state.padEnd(stateWidth)}${check.padEnd(checkWidth)}${printable(message)}\n${fix ? `${indent}Fix: ${printable(fix)}\n` : ''}`;
}

function summary({ warning, wrong }: { warning: number; wrong: number }): string {
  const warnings = warning === 1 ? '1 warning' : `${warning === 0 ? 'no' : warning} warnings`;
  if (wrong === 0) return `Nothing is wrong; ${warnings}.`;
  return `${wrong === 1 ? 'One thing is' : `${wrong} things are`} wrong; ${warnings}.`;
}
