import { isSame } from '../../../core/sessions/credential.ts';
import type { Derive } from '../records/derived-ids.ts';

/** Seconds for which a request waits for its user: longer than a login takes. */
export const waitingSeconds = 900;

/**
 * Most characters of a parameter, and of all parameters as a query. A request that waits has to fit into the parameter `next` of the login
 * page.
 */
export const longest = { parameter: 2048, request: 2700 };

export const authorizationPath = '/oidc/auth';

type Parameters = Readonly<Record<string, unknown>>;

const queryOf = (parameters: Parameters): string =>
  new URLSearchParams(
    Object.entries(parameters).flatMap(([name, sent]) => [sent ?? []].flat().map((value) => [name, String(value)])),
  ).toString();

/** Returns the parameters without the value of `prompt` that the user has met. */
export const withoutPrompt = (parameters: Parameters, met: string): Parameters => ({
  ...parameters,
  prompt:
    String(parameters.prompt ?? '')
      .split(' ')
      .filter((name) => name !== met)
      .join(' ') || undefined,
});

/** Returns the `error_description` of a request that is too long to wait for its user. Undefined if it is short enough. */
export function findExcess(parameters: Parameters): string | undefined {
  const name = Object.keys(parameters).find((one) => String(parameters[one] ?? '').length > longest.parameter);
  if (name !== undefined) return `${name} has more than ${longest.parameter} characters: make it shorter`;
  if (queryOf(parameters).length <= longest.request) return undefined;
  return `the request has more than ${longest.request} characters: make state or claims shorter`;
}

export type ReturnAddress = ReturnType<typeof createReturnAddress>;

/**
 * Makes and reads the address that a login leads back to. A browser without a session carries its request in this address. The address has
 * the time of the request. A login after that time is the proof that `prompt=login` and `max_age` ask for. The signature covers the whole
 * request.
 * @param derive signs texts for a purpose
 */
export const createReturnAddress = (derive: Derive, now: () => number) => ({
  make(parameters: Parameters): string {
    const [query, time] = [queryOf(parameters), String(now())];
    return `${authorizationPath}?${query}&asked_at=${time}.${derive('asked', time, query)}`;
  },

  /**
   * Returns when a request came first, in milliseconds since 1970. Undefined unless this server wrote the time, for this request and within
   * the last 15 minutes.
   */
  readTime(query: string): number | undefined {
    const [, asked = '', time = '', signature = ''] = /^(.*)&asked_at=(\d{1,16})\.([\w-]+)$/.exec(query) ?? [];
    const isOurs = isSame(signature, derive('asked', time, asked));
    return isOurs && now() - Number(time) < waitingSeconds * 1000 ? Number(time) : undefined;
  },
});
