import { changeRefusals } from '../../core/access/change-refusals.ts';
import { type Answer, InvalidFields, Refusal } from '../../core/access/refusal.ts';
import type { Core } from '../../core/core.ts';
import { ChangeRefused, Unreadable } from '../../core/users/change-refused.ts';
import { maxHandleLength, requireFreeHandle, requireHandle, setHandle } from '../../core/users/handles.ts';
import { provedBy } from '../../core/users/held.ts';
import { detailAnswer } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { provedOf, signedInOf } from '../../web/hooks/credentials.ts';
import { accountPath } from '../../web/next.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import { currentPasswordField } from './fields.ts';

const detail = 'Handle chosen';

const handleKept: Answer = {
  name: 'handle-kept',
  status: 409,
  detail: 'You have a handle already. Only an administrator can change it',
};

type Parts = Pick<Core, 'users' | 'ports' | 'change' | 'audit'>;

/** Adds the page on which users choose a handle (`HANDLES=users`). They do so once, because a handle is never free again. */
export function addHandle(app: App, parts: () => Parts): void {
  addForm(app, ['/account/handle', '/api/account/handle'], {
    summary: 'Choose a handle',
    description: 'A second name with which the user signs in. It can be chosen once.',
    tag: 'Account',
    config: {
      signedIn: true,
      freshProof: { page: ({ account }) => account.chooseHandle },
      refusals: [handleKept, changeRefusals['change-refused']],
    },
    view: view('capabilities/account/handle'),
    fields: {
      current_password: currentPasswordField,
      handle: { required: true, maxLength: maxHandleLength, description: 'The handle', examples: ['ann'] },
    },
    answer: detailAnswer(detail),
    browser: 'To the account page, with a message',
    show: () => ({}),
    async submit(request, reply, entered) {
      const { users, ports, change, audit } = parts();
      const handle = readHandle(entered.handle);
      const { session, user } = signedInOf(request);
      const event = { kind: 'handle-chosen', isChange: (made: boolean) => made } as const;
      const act = { kind: event.kind, userId: user.id, caller: request.caller };
      audit.requireAllowance(act);
      try {
        await requireFreeHandle(handle, { users, listClients: ports.listClients });
        await change(event, provedBy(provedOf(request)), { caller: request.caller, session }, (held) => {
          if (held.user.handle !== undefined) throw new Refusal(handleKept);
          return setHandle(held, handle);
        });
      } catch (error) {
        if (!(error instanceof ChangeRefused && error.code === 'handle-taken')) throw error;
        // Otherwise a user could ask for any number of names whether somebody has them.
        audit.countAct(act);
        throw new InvalidFields({ field: 'handle', code: 'handle-taken' });
      }
      return reply.proceed(`${accountPath}?state=6`, { detail });
    },
  });
}

function readHandle(typed: string): string {
  try {
    return requireHandle(typed);
  } catch (error) {
    if (error instanceof Unreadable) throw new InvalidFields({ field: 'handle', code: 'not-a-handle' });
    throw error;
  }
}
