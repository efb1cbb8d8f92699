import type { Core } from '../../core/core.ts';
import { hasName } from '../../core/users/user.ts';
import { detailAnswer } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { accountPath } from '../../web/next.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import { nameFields, requireNames } from './fields.ts';

const detail = 'Name changed';

type Parts = Pick<Core, 'registry' | 'change'>;

export function addProfile(app: App, parts: () => Parts): void {
  addForm(app, ['/account/profile', '/api/account/profile'], {
    summary: 'Change the name',
    tag: 'Account',
    config: { signedIn: true },
    view: view('capabilities/account/profile'),
    fields: nameFields,
    answer: detailAnswer(detail),
    browser: 'To the account page, with a message',
    show: ({ user }, typed) => ({ values: { first_name: user.firstName, last_name: user.lastName, ...typed } }),
    async submit(request, reply, entered) {
      const { registry, change } = parts();
      const names = requireNames(entered);
      const { user, session } = signedInOf(request);
      const by = { caller: request.caller, session };
      const event = { kind: 'profile-changed', isChange: (made: boolean) => made } as const;
      await change(event, { userId: user.id, stamp: session.stamp }, by, async (held) => {
        if (registry === undefined || hasName(held.user, names)) return false;
        await registry.setName(held, names);
        return true;
      });
      return reply.proceed(`${accountPath}?state=4`, { detail });
    },
  });
}
