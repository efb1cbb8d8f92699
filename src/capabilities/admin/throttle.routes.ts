import type { SignedIn } from '../../core/access/access.ts';
import { InvalidFields, Refusal } from '../../core/access/refusal.ts';
import { beyondOwn, holds, holdsAll } from '../../core/access/rights.ts';
import { type Account, rightsOfAccount } from '../../core/users/account.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import { addAction } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { countedNetwork } from '../../web/client-address.ts';
import { actorOf, signedInOf } from '../../web/hooks/credentials.ts';
import { cursorOf, listQuery, nextCursor, readList, unreadableList } from '../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { throttleView } from './views.ts';

/** An account, a name or a network whose failed logins the throttle counts. */
interface ThrottledKey {
  readonly kind: string;
  readonly username?: string;
  readonly userId?: string;
  readonly nameDigest?: string;
  readonly address?: string;
  readonly failures: number;
  readonly lastFailureAt: Date;
  readonly waitsUntil?: Date;
  readonly stopped: boolean;
  readonly outdated: boolean;
}

type LiftTarget = { readonly userId: string } | { readonly nameDigest: string } | { readonly address: string };

export interface ThrottleParts {
  readonly users: Pick<UserDirectory, 'findAll'>;
  readonly throttled: {
    listPage(from?: string): Promise<{ readonly keys: readonly ThrottledKey[]; readonly next: string | undefined }>;
    lift(target: LiftTarget, actor: ReturnType<typeof actorOf>): Promise<number>;
  };
}

const keySchema = object('Who has to wait', {
  kind: text('account', 'What the failures are counted by, such as `account` or `address`'),
  username: orNull(text('ann@example.com')),
  user_id: orNull(text('9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c')),
  name_digest: { type: ['string', 'null'], description: 'In place of a name that no user has', examples: [null] },
  address: { type: ['string', 'null'], description: 'An IPv4 address, or an IPv6 /64 or /48', examples: [null] },
  failures: { type: 'integer', examples: [12] },
  last_failure_at: time,
  waits_until: { ...orNull(time), description: 'RFC 3339, UTC. Null if only a lift ends the wait' },
});
const listSchema = object('Who has to wait', {
  waits: listOf(keySchema),
  next_cursor: nextCursor,
});

/** Leaves out the ids of the browsers by which some failures are counted. */
export const describeWait = ({ kind, username, userId, nameDigest, address, failures, ...key }: ThrottledKey) => ({
  kind,
  username: username ?? null,
  user_id: userId ?? null,
  name_digest: nameDigest ?? null,
  address: address ?? null,
  failures,
  last_failure_at: key.lastFailureAt.toISOString(),
  waits_until: key.waitsUntil?.toISOString() ?? null,
});

const mustWait = ({ waitsUntil, stopped, outdated }: ThrottledKey) =>
  !outdated && (stopped || waitsUntil !== undefined);

/** A digest may be that of any user's name, so only an administrator with all rights may lift a wait by it. */
function mayLift(
  signedIn: SignedIn,
  { userId, nameDigest }: { readonly userId?: string | undefined; readonly nameDigest?: string | undefined },
  accounts: ReadonlyMap<string, Account>,
): boolean {
  const account = accounts.get(userId ?? '');
  if (!userId && nameDigest) return holdsAll(signedIn);
  return account === undefined || holds(signedIn, rightsOfAccount(account));
}

const page = '/admin/throttle';
const config = { signedIn: true, scope: 'sessions:write' };

/** Adds the page that lists waits before the next login, and lifts them. */
export function addThrottle(app: App, parts: () => ThrottleParts): void {
  addAction(app, [page, '/api/admin/throttle'], {
    method: 'GET',
    summary: 'Who has to wait',
    tag,
    config: { ...config, view: throttleView, refusals: [unreadableList] },
    query: { cursor: listQuery.cursor },
    answer: json('Who has to wait', listSchema, { next_cursor: null }),
    browser: 'The page with who has to wait',
    async handle(request) {
      const { query } = request;
      const { throttled, users } = parts();
      const [from] = readList(query, { keyLength: 1 }).after ?? [];
      const { keys, next } = await throttled.listPage(from);
      const waiting = keys.filter(mustWait);
      const accounts = await users.findAll(waiting.flatMap(({ userId = [] }) => userId));
      const waits = waiting.map((key) => ({
        ...describeWait(key),
        mayLift: mayLift(signedInOf(request), key, accounts),
      }));
      return { waits, next_cursor: next === undefined ? null : cursorOf([next]), query };
    },
  });

  addAction(app, [`${page}/lift`, '/api/admin/throttle/lift'], {
    method: 'POST',
    summary: 'Remove a wait',
    description:
      'Forgets all failures of a user, of a name that no user has, or of an address. Send one of the fields.',
    tag,
    config: { ...config, openedAt: page, takesTurn: true, refusals: [beyondOwn] },
    fields: {
      user_id: { description: 'A user', maxLength: 255, examples: ['9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c'] },
      name_digest: { description: 'A name that no user has. Only members of `admins` may send it' },
      address: { description: 'An address, an IPv6 /48, or `unknown` for all clients without a known one' },
    },
    answer: json('The failures are forgotten', object('How many keys', { count: { type: 'integer', examples: [3] } })),
    browser: 'To the page with who has to wait',
    async handle(request, reply, { user_id: userId, name_digest: nameDigest, address }) {
      const target = userId ? { userId } : nameDigest ? { nameDigest } : { address: countedNetwork(address ?? '') };
      if ('address' in target && target.address === undefined)
        throw new InvalidFields({ field: 'address', code: address ? 'not-an-ip-address' : 'missing' });
      const { throttled, users } = parts();
      const accounts = await users.findAll(userId ? [userId] : []);
      if (!mayLift(signedInOf(request), { userId, nameDigest }, accounts)) throw new Refusal(beyondOwn);
      const count = await throttled.lift(target as LiftTarget, actorOf(request));
      return reply.proceed(`${page}?state=lifted`, { count });
    },
  });
}
