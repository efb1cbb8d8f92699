import type { Claims } from './upstream.ts';

/**
 * Reads the user of an access token from GitHub's API, because GitHub has no ID tokens. The result has the claim names of OpenID Connect.
 * `sub` is the number of the account, which never changes. GitHub may give a login name to another person.
 */
export async function readGitHubUser(read: (url: string) => Promise<Response>): Promise<Claims> {
  const { id, login, name } = (await readJson(read, 'https://api.github.com/user')) as Claims;
  if (!Number.isSafeInteger(id)) throw new Error('GitHub names no user');
  const emails = await readJson(read, 'https://api.github.com/user/emails');
  const primary = (Array.isArray(emails) ? (emails as Claims[]) : []).find((one) => one.primary === true);
  return {
    sub: String(id),
    preferred_username: login,
    name: name ?? login,
    email: primary?.email,
    email_verified: primary?.verified,
  };
}

async function readJson(read: (url: string) => Promise<Response>, url: string): Promise<unknown> {
  const response = await read(url);
  if (!response.ok) throw new Error('GitHub answers with an error', { cause: response });
  return response.json();
}
