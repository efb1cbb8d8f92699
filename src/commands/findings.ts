import type { Finding } from '../../selftest/finding.ts';
import type { ToldFinding } from '../doctor/told.ts';
import { withOwnCommand } from '../ground/config/own-command.ts';
import { jsonLine } from '../ground/text/printable.ts';

export type FindingsPrinter = ReturnType<typeof createFindingsPrinter>;

export function createFindingsPrinter(json: boolean) {
  const counts = { ok: 0, warning: 0, wrong: 0 };
  return {
    print(check: string, finding: Finding): void {
      counts[finding.state] += 1;
      const { told: _, ...shown }: ToldFinding = finding;
      process.stdout.write(json ? jsonLine({ check, ...shown }) : withOwnCommand(formatLine(check, finding)));
    },
    conclude(): boolean {
      if (!json) process.stdout.write(`\n${summary(counts)}\n`);
      return counts.wrong === 0;
    },
  };
}

/** Widths of the columns for the state and the check. The longest name is `second-factors`. */
const [stateWidth, checkWidth] = [9, 15];

function formatLine(check: string, { state, message, fix }: Finding): string {
  const indent = ' '.repeat(stateWidth + checkWidth);
  return `${state.padEnd(stateWidth)}${check.padEnd(checkWidth)}${message}\n${fix === undefined ? '' : `${indent}Fix: ${fix}\n`}`;
}

function summary({ warning, wrong }: { warning: number; wrong: number }): string {
  const warnings = warning === 1 ? '1 warning' : `${warning === 0 ? 'no' : warning} warnings`;
  if (wrong === 0) return `Nothing is wrong; ${warnings}.`;
  return `${wrong === 1 ? 'One thing is' : `${wrong} things are`} wrong; ${warnings}.`;
}
