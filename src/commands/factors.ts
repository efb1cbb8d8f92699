import type { Services } from '../compose.ts';
import type { Caller } from '../core/audit/event.ts';
import { type Account, stampOf } from '../core/users/account.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { provedBy } from '../core/users/held.ts';
import { canonicalUsername } from '../core/users/user.ts';
import { administer } from './administer.ts';
import { list, minuteOf } from './list.ts';

const forUser = (
  command: string,
  username: string,
  task: (services: Services, account: Account, caller: Caller) => Promise<string>,
  find: 'findByUsername' | 'adoptByUsername' = 'findByUsername',
) =>
  administer(`janua users ${command}`, async (services, caller) => {
    const account = await services.users[find](canonicalUsername(username));
    if (account === undefined) throw new ChangeRefused('There is no user with that name.');
    return task(services, account, caller);
  });

export const listFactors = (username: string, { json }: { readonly json?: boolean }) =>
  forUser('factors', username, async ({ manageFactors }, account) => {
    const { passkeys, totp, recoveryCodesLeft, trustedBrowsers } = await manageFactors.list(
      account.user,
      stampOf(account),
    );
    const factors = [
      ...passkeys.map(({ name, createdAt, lastUsedAt }) => ({ kind: 'passkey', name, createdAt, lastUsedAt })),
      ...(totp ? [{ kind: 'app', name: 'authenticator app', ...totp }] : []),
      ...(recoveryCodesLeft > 0 ? [{ kind: 'codes', name: `${recoveryCodesLeft} recovery codes` }] : []),
      ...trustedBrowsers.map(({ userAgent, trustedAt }) => ({ kind: 'trust', name: userAgent, createdAt: trustedAt })),
    ];
    return list<Factor>(factors, {
      json,
      none: 'The user has no second factor.',
      heading: ['KIND', 'NAME', 'ADDED (UTC)', 'LAST USED (UTC)'],
      toRows: (rows) =>
        rows.map(({ kind, name, createdAt, lastUsedAt }) => [kind, name, minuteOf(createdAt), minuteOf(lastUsedAt)]),
    });
  });

export const removeFactors = (username: string) =>
  forUser('remove-factors', username, async ({ factors, manageFactors }, account, caller) => {
    const { hasAny } = await factors.list(account.user);
    if (!hasAny) throw new ChangeRefused('The user has no second factor.');
    await manageFactors.removeAll(account.user, { caller });
    return "The second factors are removed, and the user's sessions have ended.";
  });

export const printEnrolmentLink = (username: string) =>
  forUser(
    'enrolment-link',
    username,
    async ({ factors, createEnrolmentLink, audit }, account, caller) => {
      if (account.disabled)
        throw new ChangeRefused('The user is disabled. Enable them first: ./bin/janua users enable EMAIL');
      if ((await factors.list(account.user)).hasAny)
        throw new ChangeRefused(
          'The user has a second factor. To remove it, run: ./bin/janua users remove-factors EMAIL',
        );
      return createEnrolmentLink(provedBy(account), undefined, (db) =>
        audit.recordIn(db, { kind: 'enrolment-link-made', caller, userId: account.user.id }),
      );
    },
    'adoptByUsername',
  );

interface Factor {
  readonly kind: string;
  readonly name: string;
  readonly createdAt?: Date;
  readonly lastUsedAt?: Date | undefined;
}
