import { type Finding, wrong } from '../../selftest/finding.ts';
import type { Fault } from '../faults/misconfiguration.ts';

/** @param otherwise the fix for faults without their own */
export const findingsOf = (faults: readonly Fault[], otherwise: string): Finding[] =>
  faults.map(({ message, fix = otherwise }) => wrong(message, fix));
