import { createSecret } from '../sessions/credential.ts';
import { ceremonyCookie } from '../web/cookies.ts';
import type { Reply, Request } from '../web/types.ts';

/** Ties a challenge to the browser that asked for it. It authenticates no request. @param https whether browsers use HTTPS */
export function createCeremonyCookie(https: boolean) {
  const cookie = ceremonyCookie(https);
  const read = ({ headers }: Pick<Request, 'headers'>) => cookie.read(headers.cookie);
  return {
    read,
    /** Sets the cookie, and gives its value. Pages in other tabs keep theirs. */
    give(request: Pick<Request, 'headers'>, reply: Reply): string {
      const sent = read(request) ?? '';
      const value = /^[\w-]{43}$/.test(sent) ? sent : createSecret();
      reply.header('set-cookie', cookie.header(value));
      return value;
    },
  };
}
