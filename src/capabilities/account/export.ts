import { Readable } from 'node:stream';
import type { SignedIn } from '../../core/access/access.ts';
import { describeSession } from '../../core/access/describe-session.ts';
import { describeToken } from '../../core/access/describe-token.ts';
import { type Answer, Refusal, tooMany } from '../../core/access/refusal.ts';
import type { Caller, RecordedEvent } from '../../core/audit/event.ts';
import type { UnreadableEvent } from '../../core/audit/sql-store.ts';
import type { QueuedMail } from '../../core/mail/outbox.ts';
import type { ConnectedApplication, LinkedIdentity, OwnFactors } from '../../core/ports.ts';
import type { Policy } from '../../core/throttle/backoff.ts';
import type { OneTimeToken } from '../../core/tokens/tokens.ts';
import type { PastVerification } from '../../core/users/account.ts';
import { eventsOf, type User } from '../../core/users/user.ts';
import type { AccountCore } from './events.ts';
import type { OwnSessions } from './sessions.ts';

/** Exports are limited, because each reads all audit events of the user. */
const limit: Policy = {
  free: 3,
  firstWaitSeconds: 60,
  longestWaitSeconds: 3600,
  forgiveSeconds: 600,
  keepSeconds: 3600,
};

export const tooManyExports: Answer = {
  ...tooMany,
  name: 'too-many-exports',
  detail: 'Too many exports. Please wait before trying again.',
};

export type ExportAccount = ReturnType<typeof createExportAccount>;

/** Exports the data that Janua stores about a user as JSON, without secrets (GDPR 15 and 20). @throws {Refusal} `too-many-exports` */
export function createExportAccount(core: AccountCore, ownSessions: OwnSessions) {
  const { users, tokens, personalTokens, auditTrail, audit, throttle, now, ports, findLastLogin, sentOutbox } = core;

  return async (signedIn: SignedIn, factors: OwnFactors, caller: Caller) => {
    const { user, session } = signedIn;
    if (!(await throttle.take([{ key: `export:${user.id}`, policy: limit }]))) throw new Refusal(tooManyExports, 60);
    await audit.recordIfPossible({ kind: 'account-exported', caller, userId: user.id, sessionId: session.id });
    const { createdAt } = await users.findDetails(user);
    // Leaves out later events. The session of a client that reads slowly may end before the export does.
    const until = now() + 1;
    const events = auditTrail.find({ order: 'oldest-first', ...eventsOf(user, createdAt), until });
    const head = {
      account: {
        id: user.id,
        ...(await describeAccount(user, users)),
        claims: await core.claims.findOwn(user),
        last_login_at: (await findLastLogin(user))?.toISOString() ?? null,
      },
      second_factors: describeFactors(factors),
      identities: (await ports.listIdentities(user)).map(describeIdentity),
      applications: (await ports.listApplications(user)).map(describeApplication),
      sessions: (await ownSessions.list(signedIn)).map((own) => ({ ...describeSession(own), current: own.current })),
      tokens: (await personalTokens.list(user)).map(describeToken),
      links: (await tokens.listOf(user.id)).map(describeLink),
      mails: ((await sentOutbox?.listOf(user)) ?? []).map(describeMail),
      ...(await ports.dataOf(user)),
    };
    return Readable.from(toJson(head, events), { objectMode: false });
  };
}

/** Writes each event as it is read, because the events of an account may fill the memory. Reading stops when the client disconnects. */
async function* toJson(head: object, events: AsyncIterable<RecordedEvent | UnreadableEvent>): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"events":[`;
  let separator = '';
  for await (const event of events) {
    yield separator + JSON.stringify(describeEvent(event));
    separator = ',';
  }
  yield ']}';
}

/** An account as its owner sees it. */
export async function describeAccount(user: User, users: AccountCore['users']) {
  const { createdAt, passwordChangedAt, verification } = await users.findDetails(user);
  return {
    username: user.username,
    handle: user.handle ?? null,
    verification: verification ? describeVerification(verification) : null,
    first_name: user.firstName,
    last_name: user.lastName,
    groups: user.groups,
    language: user.language ?? null,
    created_at: createdAt?.toISOString() ?? null,
    password_changed_at: passwordChangedAt?.toISOString() ?? null,
  };
}

/** Names the provider that verified the address, but never the administrator or operator who did. Only the export shows the provider. */
const describeVerification = ({ how, by, at }: PastVerification) => ({
  how,
  at: at?.toISOString() ?? null,
  ...(how === 'upstream' && { upstream: by }),
});

const describeFactors = ({ passkeys, totp, recoveryCodesLeft, trustedBrowsers }: OwnFactors) => ({
  passkeys: passkeys.map(({ name, createdAt, lastUsedAt }) => ({
    name,
    created_at: createdAt.toISOString(),
    last_used_at: lastUsedAt?.toISOString() ?? null,
  })),
  totp: totp !== undefined,
  recovery_codes_left: recoveryCodesLeft,
  trusted_browsers: trustedBrowsers.map(({ userAgent, trustedAt }) => ({
    user_agent: userAgent,
    trusted_at: trustedAt.toISOString(),
  })),
});

const describeIdentity = ({ provider, name, linkedAt, lastUsedAt }: LinkedIdentity) => ({
  upstream: provider,
  name,
  linked_at: linkedAt.toISOString(),
  last_used_at: lastUsedAt?.toISOString() ?? null,
});

const describeApplication = ({ clientId, name, scopes, since }: ConnectedApplication) => ({
  client_id: clientId,
  name,
  scopes,
  since: since.toISOString(),
});

const describeLink = ({ purpose, address, expiresAt }: OneTimeToken) => ({
  purpose,
  address,
  expires_at: new Date(expiresAt).toISOString(),
});

const describeMail = ({ purpose, address, language, details, createdAt, failure }: QueuedMail) => ({
  purpose,
  address,
  language,
  details,
  created_at: new Date(createdAt).toISOString(),
  failure: failure ?? null,
});

/** Leaves out fields about the server and its operators. */
function describeEvent(event: RecordedEvent | UnreadableEvent) {
  const { id, at } = event;
  if ('unreadable' in event) return { id, at };
  const { kind, reason = null, sessionId = null, caller } = event;
  const { route, address = null, userAgent = null } = caller;
  return { id, at, kind, reason, route, session_id: sessionId, address, user_agent: userAgent };
}
