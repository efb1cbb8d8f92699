import { maxHeaderSize } from 'node:http';
import { mostExports } from '../src/capabilities/admin/file-export.ts';
import { mostRefusals } from '../src/capabilities/admin/user-files.routes.ts';
import { maxNameLength as longestClientName, mostAddresses } from '../src/capabilities/oidc/clients/client-rules.ts';
import { mostSecrets } from '../src/capabilities/oidc/clients/client-secrets.ts';
import { longestDocument } from '../src/capabilities/oidc/clients/documents.ts';
import { longestBody, outsideLimits, responseMilliseconds } from '../src/capabilities/oidc/clients/guarded-fetch.ts';
import { rememberedLimits } from '../src/capabilities/oidc/clients/remembered-answers.ts';
import { clientKeys } from '../src/capabilities/oidc/keys/foreign-keys.ts';
import { mostDue } from '../src/capabilities/oidc/logout/logout-notices.ts';
import { mostMachineTokens } from '../src/capabilities/oidc/machines/machine.ts';
import { mostTrusts } from '../src/capabilities/oidc/machines/trust.ts';
import {
  longestAddress,
  longestNonce,
  longestUri,
  mostParameters,
} from '../src/capabilities/oidc/provider/bounded-request.ts';
import { mostAssertions, mostRecords } from '../src/capabilities/oidc/records/grant-records.ts';
import { longest as longestWaiting, waitingSeconds } from '../src/capabilities/oidc/sign-in/pending-address.ts';
import { mostWaiting } from '../src/capabilities/oidc/sign-in/room-limits.ts';
import { mostFailures } from '../src/capabilities/second-factor/pending-logins.ts';
import { redeemLimits } from '../src/capabilities/upstream/provider.ts';
import { newAccounts } from '../src/capabilities/upstream/sign-in.ts';
import { pendingSeconds } from '../src/core/access/factor.ts';
import { atOnce, policies } from '../src/core/access/login-limits.ts';
import { type Allowance, bounds, changeBounds } from '../src/core/audit/flood-bound.ts';
import { mostMails, perClient, perEndSite, perHour, perMinute, perTarget } from '../src/core/mail/limits.ts';
import { mergedNotices } from '../src/core/mail/notice.ts';
import { maxPasswordBytes } from '../src/core/passwords/passwords.ts';
import { pwnedLimits } from '../src/core/passwords/pwned-passwords.ts';
import { limits as argon2Limits } from '../src/core/passwords/schemes/argon2.ts';
import { type Policy, perSecond } from '../src/core/throttle/backoff.ts';
import { mostUsesWaiting } from '../src/core/throttle/throttle.ts';
import { maxUsernameLength } from '../src/core/users/user.ts';
import { settingSchemas } from '../src/ground/config/settings.ts';
import { mostWaitingForConnections } from '../src/ground/database/server-driver.ts';
import { boundedTables, boundOf } from '../src/ground/database/tables.ts';
import { mostWaitingForRows } from '../src/ground/database/transaction.ts';
import { longestRest } from '../src/ground/faults/turns.ts';
import { mostUnanswered, usualTimeouts } from '../src/server.ts';
import { accountPages, adminPages } from '../src/web/action.ts';
import { mostParts, uploadLimit } from '../src/web/file-upload.ts';
import { bodyLimit, mostFields } from '../src/web/hooks/bodies.ts';
import { mostRows, usualRows } from '../src/web/list.ts';
import { maxLength as longestNext } from '../src/web/next.ts';
import { asTable } from './markdown.ts';

type Party = 'stranger' | 'network' | 'account' | 'client' | 'administrator' | 'machine';

/** `most` in Markdown. `beyond` is what then happens. */
type Limit = readonly [party: Party, of: string, most: number | string, beyond: string];

const seconds = (milliseconds: number) => `${milliseconds / 1000} s`;

const time = (count: number) => (count % 60 === 0 ? `${count / 60} min` : `${count} s`);

const inKiB = (bytes: number) => `${bytes / 1024} KiB`;

/** The default of a setting by which operators choose the limit. */
const setting = (name: 'SESSIONS_PER_USER' | 'HASHING_QUEUE' | 'DATABASE_CONNECTIONS') =>
  `${settingSchemas[name].default} (\`${name}\`)`;

const waits = ({ firstWaitSeconds: first, longestWaitSeconds: longest }: Policy) =>
  `429 for ${first === longest ? time(first) : `${time(first)}, doubled up to ${time(longest)}`}`;

/** Failures until a wait. */
const failures = (party: Party, of: string, policy: Policy): Limit => [
  party,
  of,
  `${policy.free} failures`,
  waits(policy) + (policy.stopsAt === undefined ? '' : `; blocked after ${policy.stopsAt}`),
];

const mails = (party: Party, of: string, { free, forgiveSeconds, keepSeconds = 0 }: Policy): Limit => [
  party,
  of,
  forgiveSeconds === undefined
    ? `${free} in ${time(keepSeconds)}`
    : `${free}, and one more each ${time(forgiveSeconds)}`,
  'none is sent',
];

/**
 * Limits, a row a line. A number is imported from the place that enforces it, and never written here.
 */
const limits: readonly Limit[] = [
  ['stranger', 'body of a request', inKiB(bodyLimit), '413'],
  ['stranger', 'fields of a form', mostFields, '400'],
  ['stranger', 'header fields of a request', inKiB(maxHeaderSize), '431'],
  ['stranger', 'user name', `${maxUsernameLength} characters`, '`invalid_request`'],
  ['stranger', 'password', `${maxPasswordBytes} bytes`, '`invalid_request`'],
  ['stranger', 'time for a header', seconds(usualTimeouts.http.headersTimeout), '408'],
  ['stranger', 'time for a request', seconds(usualTimeouts.requestTimeout), '408'],
  ['stranger', 'silence of a connection', seconds(usualTimeouts.connectionTimeout), 'closed'],
  ['stranger', 'requests of a connection without an answer', mostUnanswered, 'closed'],
  ['stranger', '`next`', `${longestNext} characters`, 'dropped'],
  ['stranger', 'address of a request of an application', `${longestAddress} characters`, '414'],
  ['stranger', 'an address within a request of an application', `${longestUri} characters`, '414'],
  ['account', 'nonce of a request of an application', `${longestNonce} characters`, '414'],
  ['stranger', 'parameters of a request of an application', `${mostParameters}, each once except \`resource\``, '400'],
  ['stranger', 'request that waits for a login', `${longestWaiting.request} characters`, '`invalid_request`'],
  [
    'stranger',
    'requests that wait to be counted against a limit',
    mostUsesWaiting,
    '503 for the last of the largest party',
  ],
  ['stranger', 'passwords that wait for a hash', setting('HASHING_QUEUE'), '503'],
  ['stranger', 'mails of strangers that wait', mostMails.ofStrangers, 'none is added; the answer is the same'],
  ['stranger', 'mails of strangers to an address that wait', mostMails.toAddress, 'none is added'],
  ['stranger', 'device requests that wait', mostWaiting.ofDevices, 'the oldest of the largest network ends'],
  [
    'stranger',
    'pushed requests of public clients that no browser has used',
    mostWaiting.pushed,
    'the oldest of the largest network ends; each after a minute',
  ],
  ['stranger', 'connections to applications that wait', outsideLimits.waiting, '503 for the last of the largest party'],
  ['stranger', 'wait for such a connection', seconds(outsideLimits.waitingMilliseconds), '503; a notice waits'],
  [
    'stranger',
    'documents and keys that are remembered',
    rememberedLimits.answers,
    'the oldest of the largest network goes',
  ],
  ['stranger', 'memory for them', inKiB(rememberedLimits.bytes), 'the oldest of the largest network goes'],
  [
    'stranger',
    'sign-ins that wait for another provider',
    redeemLimits.waiting,
    '503 for the last of the largest network',
  ],
  [
    'stranger',
    'wait for another provider',
    seconds(redeemLimits.waitingMilliseconds),
    '503; the sign-in is not used up',
  ],
  failures('stranger', 'logins from unknown addresses', policies.unknownAddress),
  failures('network', 'logins of an address', policies.address),
  failures('network', 'logins of a /48', policies['end-site']),
  failures('network', 'logins of an address to a name', policies.pair),
  failures('network', 'codes from an address', policies['factor-address']),
  failures('network', 'codes from a /48', policies['factor-end-site']),
  ['network', 'logins of an address at once', atOnce.address, 'wait for a turn'],
  ['network', 'logins of a /48 at once', atOnce.endSite, 'wait for a turn'],
  ['network', 'logins of all unknown addresses at once', atOnce.unknownAddress, 'wait for a turn'],
  ['network', 'connections to the database at once', 'all but one', 'wait for a turn'],
  ['network', 'connections to applications at once', outsideLimits.ofParty, 'wait for a turn'],
  ['network', 'sign-ins at another provider at once', redeemLimits.ofNetwork, 'wait for a turn'],
  ['network', 'sign-ins that come back from other providers', `${perSecond.free}, and one more each second`, '503'],
  [
    'network',
    'accounts that users of other providers create',
    `${newAccounts.ofNetwork.free}, and one more each minute`,
    '403',
  ],
  mails('network', 'mails that an address asks for', perClient),
  mails('network', 'mails that a /48 asks for', perEndSite),
  ['network', 'mails of a /48 that wait', mostMails.ofParty, 'none is added'],
  ['network', 'events of a kind', describeAllowance(bounds.anyone.endSite), 'counted, not kept'],
  failures('account', 'logins', policies.account),
  failures('account', 'codes', policies['factor-account']),
  ['account', 'logins at once', atOnce.account, 'wait for a turn'],
  ['account', 'logins of its known browsers at once', atOnce.account, 'wait for a turn'],
  ['account', 'accounts that an identity of another provider creates', `${newAccounts.ofIdentity.free} an hour`, '403'],
  ['account', 'new passwords at once', atOnce.newPassword, 'wait for a turn'],
  ['account', 'questions to Pwned Passwords at once', pwnedLimits.ofAccount, 'wait for a turn'],
  ['account', 'uses of passkeys', `${perSecond.free}, and one more each second`, '503'],
  ['account', 'codes of a waiting login', mostFailures, `it ends, as after ${time(pendingSeconds)}`],
  ['account', 'sessions', setting('SESSIONS_PER_USER'), 'the oldest ends'],
  ['account', 'sign-ins that wait', mostWaiting.ofUser, `the oldest ends; each after ${time(waitingSeconds)}`],
  mails('account', 'mails of a purpose to an address', perMinute),
  mails('account', 'mails of a purpose to an address', perHour),
  mails('account', 'mails that a user asks for', perClient),
  [
    'account',
    'notices of a kind to an address',
    `1 in ${time(mergedNotices.merged.windowSeconds)}`,
    'one mail tells of the rest',
  ],
  ['account', 'mails that wait', `${mostMails.ofParty}, with notices ${mostMails.withNotices}`, 'none is added'],
  ['account', 'grants to applications', mostRecords.grants, 'the oldest ends'],
  ['account', 'grants without a session', mostRecords.lastingGrants, 'the one unused for longest ends'],
  ['account', 'the same, of an application', mostRecords.lastingGrantsOfClient, 'the one unused for longest ends'],
  ['account', 'changes at once', 1, 'wait for a turn'],
  ['account', 'changes of all accounts that wait', mostWaitingForRows, '503 for the last of the account with the most'],
  ['account', 'events of a kind', describeAllowance(bounds['account-holder'].account), 'counted, not kept'],
  ['account', 'changes of a kind', describeAllowance(changeBounds.account), '429'],
  ['account', 'notices of logouts to one client that wait', mostDue, 'the oldest are given up'],
  ['client', 'document', `${longestDocument} bytes`, 'the client is unknown'],
  [
    'client',
    'keys that count',
    `${clientKeys.most}: RSA of 2048 to 4096 bits with exponent 65537, P-256, or Ed25519`,
    'refused; of a document, ignored',
  ],
  [
    'client',
    'assertions and proofs of keys in five minutes, with keys or by a listed host',
    mostAssertions,
    '`temporarily_unavailable`',
  ],
  ['client', 'pushed requests that no browser has used', mostWaiting.pushed, 'the oldest ends; each after a minute'],
  ['account', 'proofs of keys (DPoP) with access tokens in five minutes', mostAssertions, '`temporarily_unavailable`'],
  [
    'network',
    'assertions of clients that are not listed, and proofs of public clients, in five minutes',
    mostAssertions,
    '`temporarily_unavailable`',
  ],
  ['client', 'response that Janua reads', inKiB(longestBody), 'none was there'],
  ['client', 'time for a response', seconds(responseMilliseconds), 'none was there'],
  [
    'client',
    'processor time by the TLS of one of its hosts',
    'that of a thread with a lower priority',
    'other applications wait',
  ],
  ['client', 'tokens of a program that acts as itself', mostMachineTokens, 'the oldest ends'],
  ['client', 'workloads of other issuers that it trusts', mostTrusts, 'refused'],
  ['client', 'fetches of its keys, or of those of such an issuer', '1 in 30 s', 'the keys from before count'],
  ['client', 'connections to one of its hosts at once', outsideLimits.ofHost, 'wait for a turn'],
  ['administrator', 'changes of a kind', describeAllowance(changeBounds.administrator), '429'],
  mails('administrator', 'resets, invitations and new addresses', perClient),
  mails('administrator', 'the same of one user, by all administrators', perTarget),
  ['administrator', 'form with a file, to import users', inKiB(uploadLimit), '413'],
  ['administrator', 'parts of such a form', mostParts, '400'],
  ['client', 'codes, access tokens and refresh tokens of a grant', `${mostRecords.ofGrant} each`, 'the oldest ends'],
  ['administrator', 'imports by pages and API at once', 1, 'wait for a turn; 503 if 20 wait'],
  ['administrator', 'rows that an import explains', mostRefusals, 'the others are counted'],
  ['administrator', 'entries of a page of a list', `${usualRows}, or up to ${mostRows} (\`limit\`)`, '`next_cursor`'],
  ['administrator', 'addresses of a client', mostAddresses, 'refused'],
  ['administrator', 'secrets of a client', mostSecrets, 'an expired one goes, else 409'],
  ['administrator', 'name of a client', `${longestClientName} characters`, 'refused'],
  ['administrator', 'pages of administration, and lifts of waits, at once', adminPages.ofOne, 'wait for a turn'],
  [
    'administrator',
    'time in which pages are made',
    'half',
    `the next page waits as long as the last one took, at most ${seconds(longestRest)}`,
  ],
  ['administrator', 'exports of a list at once', mostExports, '503'],
  ['machine', 'mails that wait', `${mostMails.ofRequests}, with notices ${mostMails.inAll}`, 'none is added'],
  [
    'machine',
    'mails of imports and commands while imported users are invited',
    `${mostMails.dueOfImports} due, ${mostMails.ofImports} with further tries`,
    'the users wait',
  ],
  [
    'machine',
    'mails that were given up',
    `${mostMails.givenUp} of strangers, ${mostMails.givenUp} others`,
    'the oldest are removed',
  ],
  [
    'machine',
    'requests that wait for a connection to the database',
    mostWaitingForConnections,
    '503 for the last of the network with the most',
  ],
  ['account', 'pages that list what it has, at once', accountPages.ofOne, 'wait for a turn'],
  ['machine', 'pages that list what an account has, at once', accountPages.atOnce, 'wait for a turn'],
  ['machine', 'such pages that wait', accountPages.waiting, '503 for the last of the network with the most'],
  ['machine', 'pages of administration, and lifts of waits, at once', adminPages.atOnce, 'wait for a turn'],
  [
    'machine',
    'pages of administration that wait',
    adminPages.waiting,
    '503 for the last of the administrator with the most',
  ],
  ['machine', 'wait for a page of administration', seconds(adminPages.waitingMilliseconds), '503'],
  ['machine', 'parts of long lists that are read at once', 1, 'wait for a turn, which rests as long as it took'],
  ['machine', 'hashes at once, 19 MiB each', 'as many as cores (`HASHING_CONCURRENCY`)', 'wait for a turn'],
  ['machine', 'memory of a stored hash', inKiB(argon2Limits.memoryCost * 1024), 'it matches no password'],
  ['machine', 'connections to applications that strangers name at once', outsideLimits.atOnce, 'wait for a turn'],
  ['machine', 'the same, to applications of `CLIENT_ID_METADATA`', outsideLimits.atOnce, 'wait for a turn'],
  ['machine', 'notices of logouts that are sent at once', outsideLimits.atOnce, 'wait for a turn'],
  ['machine', 'sign-ins at another provider at once', redeemLimits.atOnce, 'wait for a turn'],
  [
    'machine',
    'questions to Pwned Passwords at once',
    pwnedLimits.atOnce,
    `wait for a turn; 503 if ${pwnedLimits.waiting} wait`,
  ],
  ['machine', 'connections to the database', setting('DATABASE_CONNECTIONS'), 'wait for one'],
];

/** The rows of tables, whose bounds are in `ground/database/tables.ts`. */
const kept = boundedTables.map((table): Limit => {
  const { of, name, most, oldestBy } = boundOf(table);
  return [of === 'account' ? 'account' : 'administrator', name, most, oldestBy ? 'the oldest goes' : '409'];
});

const order: readonly Party[] = ['stranger', 'network', 'account', 'client', 'administrator', 'machine'];

function describeAllowance(allowance: Allowance | undefined): string {
  return allowance === undefined ? 'any' : `${allowance.burst}, and ${allowance.perMinute} a minute`;
}

/** The lines between which the section stands in a page that is otherwise written by hand. */
const [begin, end] = [
  '<!-- Limits by `npm run reference`: add a row to scripts/limits.ts -->',
  '<!-- end of limits -->',
];

/** A page with its section renewed. @throws {Error} without the lines around it */
export function renewLimits(page: string): string {
  const [before, , after] = page.split(new RegExp(`(?<=${begin}\n)(.*)(?=${end})`, 's'));
  if (before === undefined || after === undefined) throw new Error(`${begin} is missing`);
  const all = [...limits, ...kept].sort(([one], [other]) => order.indexOf(one) - order.indexOf(other));
  const rows = all.map(([party, of, most, beyond]) => [party, of, String(most), beyond]);
  return `${before}\n${asTable(['party', 'of', 'most', 'beyond it'], rows)}\n\n${after}`;
}
