import { InvalidFields } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import { personName } from '../users/user.ts';
import type { UserRegistry } from '../users/user-directory.ts';
import { addForm } from '../web/form.ts';
import { signedInOf } from '../web/hooks/credentials.ts';
import { accountPath } from '../web/next.ts';
import type { App } from '../web/types.ts';
import type { events } from './events.ts';
import { detailAnswer, nameFields } from './fields.ts';

export interface ProfileParts {
  /** Set where this route is added. */
  readonly registry: UserRegistry | undefined;
  readonly audit: Audit<keyof typeof events>;
}

const detail = 'Name changed';

/** Adds the page on which users change their names. */
export function addProfile(app: App, parts: () => ProfileParts): void {
  addForm(app, ['/account/profile', '/api/account/profile'], {
    summary: 'Change the name',
    tag: 'Account',
    config: { signedIn: true },
    view: 'account/profile',
    fields: nameFields,
    example: { first_name: 'Ann', last_name: 'Archer' },
    answer: detailAnswer(detail),
    browser: 'To the account page, with a message',
    show: ({ user }, typed) => ({ values: { first_name: user.firstName, last_name: user.lastName, ...typed } }),
    async submit(request, reply, { first_name, last_name }) {
      const { user, session } = signedInOf(request);
      const { registry, audit } = parts();
      await registry?.setName(user.id, {
        firstName: requireName('first_name', first_name),
        lastName: requireName('last_name', last_name),
      });
      const event = { kind: 'profile-changed', userId: user.id, sessionId: session.id } as const;
      await audit.recordIfPossible({ ...event, caller: request.caller });
      return reply.proceed(`${accountPath}?state=4`, { detail });
    },
  });
}

function requireName(field: string, typed: string): string {
  const name = personName(typed);
  if (name === undefined) throw new InvalidFields({ field, code: 'malformed' });
  return name;
}
