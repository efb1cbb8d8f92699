import { type Check, type Finding, ok, warning, wrong } from '../../selftest/finding.ts';
import { clockLimits, compareClock, type StoreClock } from '../core/stores/clocks.ts';

export async function* checkClock(clock: StoreClock): Check {
  const seconds = await compareClock(clock, Date.now);
  yield seconds === undefined
    ? warning(
        `Janua could not compare its clock with that of ${clock.name}: the account may not use TIME.`,
        'Allow TIME: ACL SETUSER NAME +time',
      )
    : judgeClock(clock.name, seconds);
}

/** @param seconds by which our clock is ahead */
export function judgeClock(name: string, seconds: number): Finding {
  const size = Math.abs(seconds);
  const { noticed, harmful } = clockLimits;
  if (size < noticed) return ok(`The clocks of this machine and of ${name} differ by less than ${noticed} s.`);
  const side = seconds > 0 ? 'ahead of' : 'behind';
  const message = `The clock of this machine is ${size.toFixed(1)} s ${side} that of ${name}.`;
  const fix = 'Let both machines set their clocks by NTP, such as with chrony or systemd-timesyncd.';
  return size < harmful
    ? warning(message, fix)
    : wrong(`${message} From a minute on, servers refuse the sessions of each other.`, fix);
}
