import { createGuardedFetch, type GuardedFetch, type GuardedFetchOptions } from './guarded-fetch.ts';

/**
 * Creates a fetch with separate limits for logout notices, for applications that the operator has listed, and for all other applications.
 * Strangers thus cannot use up the connections of the first two. The keys of a listed application may be on another host, so its client id
 * decides.
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
