import type { Answer } from '../access/refusal.ts';

/** The same for a link that is blank, foreign, used, expired or truncated. @param again where the user gets a new one */
export const linkExpired = (again: string): Answer => ({
  name: 'link-expired',
  status: 410,
  detail: 'This link has expired or was used already',
  again,
});

/** The same for a session of another user, one that has ended, and one that never existed. */
export const noSuchSession: Answer = {
  name: 'no-such-session',
  status: 404,
  detail: 'You have no session with that id',
};
