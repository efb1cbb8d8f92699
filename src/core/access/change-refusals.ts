import { type ChangeFault, ChangeRefused } from '../users/change-refused.ts';
import { AccountChanged } from '../users/held.ts';
import { notAuthenticated } from './access.ts';
import { type Answer, Refusal, tooMany } from './refusal.ts';

/** Maps the reasons why a change cannot be made (`core/users/change-refused.ts`) to answers. */
export const changeRefusals = {
  'change-refused': { name: 'change-refused', status: 409, detail: 'The change cannot be made' },
  'last-administrator': {
    name: 'last-administrator',
    status: 409,
    detail: 'This is the last administrator. Make another one first',
  },
  'own-table': {
    name: 'own-table',
    status: 409,
    detail: 'The users are in a table of your own (USERS_TABLE). Change them in your application',
  },
  'no-such-user': { name: 'no-such-user', status: 404, detail: 'There is no such user' },
  'user-exists': { name: 'user-exists', status: 409, detail: 'There is a user with this address already' },
  'handle-taken': {
    name: 'handle-taken',
    status: 409,
    detail: 'That handle is taken, or another account has had it',
  },
  'no-mail': { name: 'no-mail', status: 409, detail: 'No mail can be sent here, or no password can be set' },
  'too-many-mails': {
    ...tooMany,
    name: 'too-many-mails',
    detail: 'Too many mails to that address, about that user, by you, or in all. Wait before the next',
  },
  'too-many-changes': {
    ...tooMany,
    name: 'too-many-changes',
    detail: 'Too many changes of this kind. Wait a minute',
  },
  'too-many-kept': {
    name: 'too-many-kept',
    status: 409,
    detail: 'There are as many as may be kept. Remove one that is not needed, and try again',
  },
  'no-such-import': { name: 'no-such-import', status: 404, detail: 'There is no such import' },
  'import-in-use': {
    name: 'import-in-use',
    status: 409,
    detail: 'Users of the import have signed in, or chosen a password. Remove the others one by one',
  },
  'no-such-invite-link': {
    name: 'no-such-invite-link',
    status: 404,
    detail: 'There is no such link, or it has expired',
  },
  'no-such-group': { name: 'no-such-group', status: 404, detail: 'There is no such group' },
  'group-demands-factor': {
    name: 'group-demands-factor',
    status: 409,
    detail: 'The group demands a second factor. Lift that demand before you remove the group',
  },
} as const satisfies Readonly<Record<ChangeFault, Answer>>;

/** Codes whose details are the messages of their errors: only these give the reason, or a number. */
const explained: ReadonlySet<ChangeFault> = new Set(['change-refused', 'import-in-use']);

/** Converts an error of `hold` or `change` to a refusal. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof AccountChanged) return new Refusal(notAuthenticated);
  if (!(error instanceof ChangeRefused)) return undefined;
  const answer = changeRefusals[error.code];
  const adapted = explained.has(error.code) ? { ...answer, detail: error.message } : answer;
  return new Refusal(adapted, answer.status === tooMany.status ? 60 : undefined);
}
