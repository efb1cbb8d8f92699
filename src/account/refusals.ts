import type { Answer } from '../access/refusal.ts';

/** The same for a session of another user, one that has ended, and one that never existed. */
export const noSuchSession: Answer = {
  name: 'no-such-session',
  status: 404,
  detail: 'You have no session with that id',
};

export const noSuchToken: Answer = { name: 'no-such-token', status: 404, detail: 'You have no token with that id' };
