import type { Check, Finding } from '../../selftest/finding.ts';
import { clockLimits, compareClock, type StoreClock } from '../core/stores/clocks.ts';
import { ok, warning, wrong } from './finding.ts';

export async function* checkClock({ name: store, ...clock }: StoreClock): Check {
  const seconds = await compareClock({ name: store, ...clock }, Date.now);
  yield seconds === undefined
    ? warning(
        'Janua could not compare its clock with that of {store}: the account may not use TIME.',
        'Allow TIME: ACL SETUSER NAME +time',
        { store },
      )
    : judgeClock(store, seconds);
}

/** @param ahead seconds by which the clock of this machine is ahead of the store's */
export function judgeClock(store: string, ahead: number): Finding {
  const size = Math.abs(ahead);
  const { noticed, harmful } = clockLimits;
  if (size < noticed)
    return ok('The clocks of this machine and of {store} differ by less than {seconds} s.', {
      store,
      seconds: noticed,
    });
  const judge = size < harmful ? warning : wrong;
  return judge(
    ahead > 0
      ? 'The clock of this machine is {seconds} s ahead of that of {store}.'
      : 'The clock of this machine is {seconds} s behind that of {store}.',
    'Let both machines set their clocks by NTP, such as with chrony or systemd-timesyncd. From a minute on, servers refuse the sessions of each other.',
    { store, seconds: size.toFixed(1) },
  );
}
