import fc from 'fast-check';
import { codeAt, type ModelFactors, type SentCode, stepOf } from './factors.ts';
import { isAlive, type Model, type ModelClient, type ModelUser, type Presented } from './model.ts';
import type { Sender } from './operations.ts';
import { type ModelServer, usernames } from './server.ts';

export const clientCount = 3;

/** A step of a sequence. */
export type ModelCommand = fc.AsyncCommand<Model, ModelServer>;

/** A credential that a request presents. */
type Chosen =
  | 'none'
  | 'own'
  | 'made-up'
  | { readonly copied: number; readonly as: 'it is' | 'shortened' | 'changed' | 'the other' | 'of a login that waits' };

export interface ChosenRequest {
  readonly client: number;
  readonly cookie: Chosen;
  readonly token: Chosen;
  readonly face: number;
}

export const index = fc.nat({ max: 1000 });
export const client = fc.nat({ max: clientCount - 1 });
export const person = fc.constantFrom(...usernames);

const copied = fc.record({
  copied: index,
  as: fc.oneof(
    { weight: 6, arbitrary: fc.constant('it is' as const) },
    { weight: 1, arbitrary: fc.constantFrom('shortened', 'changed', 'the other', 'of a login that waits') },
  ),
});

const chosen = (own: number): fc.Arbitrary<Chosen> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant('none' as const) },
    { weight: own, arbitrary: fc.constant('own' as const) },
    { weight: 3, arbitrary: copied },
    { weight: 1, arbitrary: fc.constant('made-up' as const) },
  );

export const requestBy = (client: fc.Arbitrary<number>): fc.Arbitrary<ChosenRequest> =>
  fc.record({ client, cookie: chosen(10), token: chosen(5), face: index });

export const shown = (value: unknown) => JSON.stringify(value)?.replaceAll('"', '') ?? '';

export const createCommand = (
  name: string,
  run: (model: Model, server: ModelServer) => Promise<unknown>,
): ModelCommand => ({
  check: () => true,
  async run(model, server) {
    await run(model, server);
  },
  // The runner joins commands with commas. This puts each on a line of its own.
  toString: () => `\n  ${name}`,
});

export function senderOf(model: Model, { client, cookie, token }: ChosenRequest): Sender {
  const kept = pick(model.clients, client);
  return {
    number: client,
    client: kept,
    presented: {
      cookie: credentialOf(model, kept, 'cookie', cookie),
      accessToken: credentialOf(model, kept, 'accessToken', token),
    },
  };
}

/** The same with a client that is signed in, if there is one. */
export function signedInSenderOf(model: Model, how: ChosenRequest): Sender {
  const signedIn = [...model.clients.keys()].filter((number) =>
    model.sessions.some((session) => session.cookie === model.clients[number]?.cookie && isAlive(model, session)),
  );
  if (signedIn.length === 0) return senderOf(model, how);
  return senderOf(model, { ...how, client: pick(signedIn, how.client), cookie: 'own', token: 'none' });
}

/** The user of the presented session, as far as the client can know. */
export function ownerOf(model: Model, { cookie, accessToken }: Presented): ModelUser | undefined {
  const session = model.sessions.find((each) =>
    accessToken === undefined ? each.cookie === cookie : each.accessToken === accessToken,
  );
  return model.users.find(({ id }) => id === session?.userId);
}

function credentialOf(
  { given, pendingLogins }: Model,
  kept: ModelClient,
  kind: 'cookie' | 'accessToken',
  how: Chosen,
): string | undefined {
  const madeUp = `${kind === 'cookie' ? '' : 'janua_'}${'M'.repeat(22)}.${'M'.repeat(43)}`;
  if (how === 'none') return undefined;
  if (how === 'own') return kept[kind];
  if (how === 'made-up' || given.length === 0) return madeUp;
  const { cookie, accessToken = madeUp } = pick(given, how.copied);
  const [credential, other] = kind === 'cookie' ? [cookie, accessToken] : [accessToken, cookie];
  switch (how.as) {
    case 'it is':
      return credential;
    case 'shortened':
      return credential.slice(0, -1);
    case 'changed':
      return `${credential.slice(0, -1)}${credential.endsWith('A') ? 'B' : 'A'}`;
    case 'the other':
      return other;
    case 'of a login that waits':
      return pendingLogins.length === 0 ? madeUp : pick(pendingLogins, how.copied).secret;
  }
}

/** A code of a second factor. */
export type ChosenCode = 'right' | 'early' | 'used' | 'wrong' | 'recovery' | 'spent';

export const code = fc.constantFrom<ChosenCode[]>(
  ...(['right', 'right', 'right', 'recovery', 'recovery', 'early', 'used', 'wrong', 'spent'] as const),
);

export function codeOf({ now }: Model, how: ChosenCode, factors: ModelFactors | undefined): SentCode {
  const { app, recoveryCodes = [], spent = [] } = factors ?? {};
  const step = stepOf(now);
  if (how === 'recovery' || how === 'spent') {
    const code = (how === 'spent' ? spent : recoveryCodes)[0] ?? '0000-0000-0000-0000-0000-0000';
    return { method: 'recovery_code', code };
  }
  const { secret, lastStep } = app ?? { secret: 'A'.repeat(32), lastStep: 0 };
  const steps = {
    right: Math.min(step + 1, Math.max(step - 1, lastStep + 1)),
    early: step + 1,
    used: lastStep,
    wrong: step + 9,
  };
  return { method: 'totp', code: codeAt(secret, steps[how]) };
}

export function pick<T>(items: readonly T[], number: number): T {
  const item = items[number % items.length];
  if (item === undefined) throw new TypeError('there is nothing to pick from');
  return item;
}

export function passSeconds(model: Model, server: ModelServer, seconds: number): void {
  if (seconds <= 0) return;
  server.pass(seconds);
  model.now = server.now();
}
