import type { Finding } from '../../selftest/finding.ts';
import type { Misconfiguration } from '../faults/misconfiguration.ts';

/** How the texts of the other parts go on where they say what to do. */
const fixInText = /^(.*?\.) (?:Fix: |Run: |(?=(?:Find|Make|Name|Say|Set|Start|Unset) ))(.+)$/s;

/**
 * A line that another part has for the operator, with the fix out of it.
 * @param otherwise the fix of a line that has none of its own
 */
export function asSaid(state: 'warning' | 'wrong', line: string, otherwise: string): Finding {
  const [, message = line, fix = otherwise] = fixInText.exec(line) ?? [];
  return { state, message, fix };
}

export const faultsAsSaid = ({ faults }: Misconfiguration, otherwise: string): Finding[] =>
  faults.map((line) => asSaid('wrong', line, otherwise));
