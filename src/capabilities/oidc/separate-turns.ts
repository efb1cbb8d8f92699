import { createGuardedFetch, type GuardedFetch, type GuardedFetchOptions } from './guarded-fetch.ts';

/**
 * Strangers cannot use up the turns of notices, nor those of applications that the operator has listed, whose keys may be on another host.
 */
export function createSeparateFetch(
  options: GuardedFetchOptions,
  isListed: (address: string) => boolean,
): GuardedFetch {
  const [notices, listed, others] = [
    createGuardedFetch(options),
    createGuardedFetch(options),
    createGuardedFetch(options),
  ];
  return (input, init, turn) => {
    if (init?.method === 'POST') return notices(input, init, turn);
    return (isListed(turn.clientId ?? String(input)) ? listed : others)(input, init, turn);
  };
}
