import assert from 'node:assert/strict';
import type {} from '../../src/compose.ts';
import { issueFirstAdministrator } from '../../src/core/changes/first-administrator.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { inviteLimits } from '../../src/core/users/invite-limits.ts';
import type {} from '../../src/web/types.ts';
import type { SentHeaders } from '../client.ts';
import { queueOf } from '../core/mail/post-office.ts';
import type { TestJanua } from '../janua.ts';
import type { Operation } from './document.ts';
import type { Request } from './request.ts';

/** The token in the examples of the document. */
const example = /(?<!x)x{43}(?!x)/;

/** Requests that share a living token. The first POST uses it up, so the others send a used one. */
const requestsPerToken = 3;

/** Links that are asked for at once. */
const batch = 20;

/** Asks for a link, and gives the address that it is mailed to. @param address one that is new */
type AskForLink = (address: string) => Promise<string>;

export interface Links {
  /** Puts a token from a real mail in the place of the example, if the operation takes one. */
  fill(request: Request, operation: Operation): Promise<Request>;
}

/**
 * Tokens of links, from the mailbox.
 * @param addPerson adds a user, and gives the address and a credential
 */
export function createLinks(
  janua: TestJanua,
  addPerson: () => Promise<{ readonly username: string; readonly authorization: string }>,
): Links {
  async function ask(url: string, email: string, headers: SentHeaders = {}): Promise<void> {
    const answer = await janua.post(url, { email }, headers);
    assert.equal(answer.statusCode, 202, answer.body);
  }

  /** The link that a user without a factor gets where one is required. */
  async function askForEnrolment(): Promise<string> {
    const { username: address } = await addPerson();
    const account = await janua.account(address);
    await queueOf(janua.services).add({ purpose: 'enrol-factor', address, ...provedBy(account), language: 'en' });
    return address;
  }

  /** How to get a link, by the end of the address that takes it. */
  const ways: Readonly<Record<string, AskForLink>> = {
    '/enrol-factor': askForEnrolment,
    '/enrol-factor/begin': askForEnrolment,
    '/sign-up/finish': async (address) => {
      await ask('/api/sign-up', address);
      return address;
    },
    '/reset-password': async () => {
      const { username } = await addPerson();
      await ask('/api/forgot-password', username);
      return username;
    },
    '/confirm-email': async (address) => {
      const { authorization } = await addPerson();
      await ask('/api/account/email', address, { authorization });
      return address;
    },
  };

  let asked = 0;
  async function collect(askForLink: AskForLink): Promise<string[]> {
    const addresses = new Set<string>();
    for (let count = 0; count < batch; count += 1) addresses.add(await askForLink(`new-${asked++}@example.com`));
    const mails = await janua.mails();
    return mails.flatMap(({ to, text }) => (addresses.has(to) ? (/token=([\w-]{43})/.exec(text)?.[1] ?? []) : []));
  }

  const pools = new Map<AskForLink, { tokens: string[]; used: number; filling?: Promise<void> }>();

  async function take(askForLink: AskForLink): Promise<string> {
    const pool = pools.get(askForLink) ?? { tokens: [], used: 0 };
    pools.set(askForLink, pool);
    while (pool.tokens.length === 0) {
      pool.filling ??= collect(askForLink).then((tokens) => {
        assert.ok(tokens.length > 0, 'a mail with a link arrives');
        pool.tokens = tokens;
        delete pool.filling;
      });
      await pool.filling;
    }
    const [token = ''] = pool.tokens;
    pool.used += 1;
    if (pool.used % requestsPerToken === 0) pool.tokens.shift();
    return token;
  }

  /** The link of the log. Once a request has made the first administrator, there is no other one. */
  const issueToken = async () => (await issueFirstAdministrator(janua.services.database)) ?? 'x'.repeat(43);

  /** A link for many works for all requests. */
  let joining: Promise<string> | undefined;
  async function makeInviteLink(): Promise<string> {
    const link = { label: 'Fuzz', groups: [], uses: inviteLimits.mostUses, days: 1, domain: '' };
    const { path } = await janua.services.administration.addInviteLink(link);
    return path.slice(-43);
  }

  async function findToken(path: string): Promise<string> {
    if (path.endsWith('/first-administrator')) return issueToken();
    if (!path.endsWith('/join')) return takeFor(path);
    joining ??= makeInviteLink();
    return joining;
  }

  function takeFor(path: string): Promise<string> {
    const [, askForLink] = Object.entries(ways).find(([end]) => path.endsWith(end)) ?? [];
    if (askForLink === undefined) throw new Error(`${path} takes a token: it needs a link in test/fuzz/links.ts`);
    return take(askForLink);
  }

  return {
    async fill(request, { path }) {
      const { target, body = '' } = request;
      if (!example.test(target) && !example.test(body)) return request;
      const token = await findToken(path);
      return { ...request, target: target.replace(example, token), body: request.body?.replace(example, token) };
    },
  };
}
