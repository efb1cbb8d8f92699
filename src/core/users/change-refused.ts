import { interpolate, type Values } from '../../ground/languages/languages.ts';
import type { Translate } from '../../ground/languages/speech.ts';
import type { Sentence } from '../../ground/languages/words.ts';

/** The reasons why a change cannot be made, for pages. With `change-refused`, only the message gives the reason. */
export type ChangeFault =
  | 'change-refused'
  | 'last-administrator'
  | 'own-table'
  | 'no-such-user'
  | 'user-exists'
  | 'handle-taken'
  | 'no-such-group'
  | 'group-demands-factor'
  | 'no-mail'
  | 'too-many-mails'
  | 'too-many-changes'
  | 'too-many-kept'
  | 'no-such-import'
  | 'import-in-use'
  | 'no-such-invite-link';

/** A change that cannot be made. The message tells an administrator why. */
export class ChangeRefused extends Error {
  override readonly name = 'ChangeRefused';
  readonly code: ChangeFault;

  constructor(message: string, code: ChangeFault = 'change-refused') {
    super(message);
    this.code = code;
  }
}

/** Invalid input about a user, such as a name or a row of an import. Pages explain the fault in their language. */
export class Unreadable extends ChangeRefused {
  /** Returns the reason in a language. */
  readonly explain: (tell: Translate) => string;

  constructor(sentence: Sentence, values: Values = {}) {
    super(interpolate(sentence, values));
    this.explain = (tell) => tell(sentence, values);
  }
}

export const nameTaken = () => new ChangeRefused('There is already a user with that name.', 'user-exists');

/** Makes the error for too many mails: to an address, about an account, by an administrator, or in the queue. */
export const tooManyMails = () =>
  new ChangeRefused(
    'Too many mails: to that address, about that user, by you, or in all. Wait a minute.',
    'too-many-mails',
  );

/** Makes the error for too many changes of one kind (limits: `core/audit/flood-bound.ts`). */
export const tooManyChanges = () =>
  new ChangeRefused('Too many changes of this kind. Wait a minute.', 'too-many-changes');

/** Makes the error that protects the last administrator. Without an administrator, only commands could make a new one. */
export const lastAdministrator = () =>
  new ChangeRefused(
    'This is the last administrator: add another user to the group admins first.',
    'last-administrator',
  );
