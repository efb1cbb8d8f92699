import type { Admitted } from '../../core/access/admit.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { firstAdministrator, lacksAdministrator } from '../../core/changes/first-administrator.ts';
import { createLinks, linkExpired } from '../../core/tokens/links.ts';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import { AccountChanged } from '../../core/users/held.ts';
import { admins } from '../../core/users/scopes.ts';
import { createAdmitNew, type OwnRequest } from './admit-new.ts';
import type { OwnAccounts } from './events.ts';
import { requireAddress, requireNames } from './fields.ts';
import type { NewAccount } from './sign-up.ts';

export const firstAdministratorPath = '/auth/first-administrator';

export const firstAdministratorExpired = linkExpired('/auth/login');

/**
 * Makes the first administrator, by the link that `janua serve --migrate` logs for the operator. Once there has been an administrator, the
 * link counts as expired.
 */
export function createFirstAdministrator(core: OwnAccounts) {
  const { database, passwordPolicy, administer, audit } = core;
  const admitNew = createAdmitNew(core);
  const links = createLinks(core, firstAdministrator, firstAdministratorExpired);

  /** @throws {Refusal} `link-expired` */
  async function open(secret: string, caller: Caller): Promise<void> {
    await links.open(secret, caller);
    if (!(await lacksAdministrator(database))) await links.refuse(caller);
  }

  return {
    open,

    /**
     * Adds the administrator, and signs them in.
     * @returns the login. Undefined if the administrator was added, but has to log in
     * @throws {InvalidFields}; {Refusal} `link-expired`
     */
    async add(
      { token: secret = '', ...entered }: NewAccount & { readonly email: string },
      request: OwnRequest,
    ): Promise<Admitted | undefined> {
      const { caller } = request;
      await open(secret, caller);
      const details = { username: requireAddress(entered.email), ...requireNames(entered) };
      const { password } = entered;
      const fault = await passwordPolicy.findFault(password, details);
      if (fault !== undefined) throw new InvalidFields({ field: 'password', ...fault });
      const user = { ...details, password, verified: true, groups: [admins] };
      const { id } = await links.use(secret, caller, (spend) =>
        administer({ caller })
          .add(user, async (db, { user: { id: userId } }) => {
            if (!(await lacksAdministrator(db))) throw new AccountChanged();
            await spend(db);
            await audit.recordIn(db, { kind: 'first-administrator-added', caller, userId });
          })
          .catch((error: unknown) => {
            if (error instanceof ChangeRefused && error.code === 'user-exists')
              throw new InvalidFields({ field: 'email', code: 'taken' });
            throw error;
          }),
      );
      return admitNew(id, request);
    },
  };
}
