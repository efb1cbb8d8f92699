import { randomBytes } from 'node:crypto';
import type { Answer, Client } from './client.ts';
import { type Check, ok, wrong } from './finding.ts';

/**
 * Checks what a client without a mail sees of the links in mails (ASVS 6.4.1): nothing, and the same for every made-up token. It asks for
 * no mail, because the address could be somebody's.
 */
export async function* checkLinks(client: Client): Check {
  const signUp = await client.ask('GET /auth/sign-up');
  const forgot = await client.ask('GET /auth/forgot-password');
  yield ok(signUp.status === 200 ? 'Anyone can sign up, by a link in a mail.' : 'Users cannot sign up themselves.');
  if (forgot.status === 404) {
    yield ok('Users cannot reset their passwords themselves.');
    return;
  }
  const token = randomBytes(32).toString('base64url');
  const madeUp = [token, randomBytes(32).toString('base64url'), token.slice(0, -1), `${token}A`, ''];
  const refused: Answer[] = [];
  for (const each of madeUp) refused.push(await client.ask(`GET /auth/reset-password?token=${each}`));
  const shown = new Set(refused.map((answer, index) => withoutSecrets(answer, madeUp[index] ?? '')));
  yield forgot.status === 200 && refused.every(({ status }) => status === 410) && shown.size === 1
    ? ok('Users can reset their passwords by a link in a mail, and every made-up link gets the same page.')
    : wrong(
        `Made-up links in mails are answered by ${refused.map(({ status }) => status).join(', ')}, and by ${shown.size} pages.`,
        'Let the proxy pass the query string on unchanged, cache nothing, and leave statuses and pages as they are.',
      );
}

/** The page without what differs in each response. */
const withoutSecrets = ({ body, header }: Answer, token: string): string =>
  [token, header('x-request-id') ?? ''].filter(Boolean).reduce((text, part) => text.replaceAll(part, ''), body);
