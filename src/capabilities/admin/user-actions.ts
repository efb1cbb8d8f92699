import { changeRefusals } from '../../core/access/change-refusals.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Administration } from '../../core/changes/administration.ts';
import type { Features } from '../../web/flow-options.ts';
import type { FoundUser } from './find-users.ts';

export interface UserAction {
  readonly scope: 'users:write' | 'sessions:write';
  /** Whether the administrator has to prove their identity again. */
  readonly fresh?: true;
  /** Whether only members of `admins` may do it. */
  readonly byAdmins?: true;
  readonly summary: string;
  /** What programs are told. */
  readonly detail: string;
  isOffered(user: FoundUser, features: Features): boolean;
  run(administration: Administration, user: { readonly userId: string }, groups: readonly string[]): Promise<unknown>;
}

/** What an administrator does with a user, by the last part of its address. */
const userActions = {
  disable: {
    scope: 'users:write',
    summary: 'Disable a user',
    detail: 'User disabled',
    isOffered: ({ disabled }, { ownAccounts }) => ownAccounts && !disabled,
    run: (administration, user) => administration.disable(user),
  },
  enable: {
    scope: 'users:write',
    fresh: true,
    summary: 'Enable a user',
    detail: 'User enabled',
    isOffered: ({ disabled }, { ownAccounts }) => ownAccounts && disabled,
    run: (administration, user) => administration.enable(user),
  },
  'end-sessions': {
    scope: 'sessions:write',
    summary: 'End the sessions of a user',
    detail: 'Sessions ended',
    isOffered: () => true,
    run: (administration, user) => administration.endSessions(user),
  },
  lift: {
    scope: 'sessions:write',
    summary: 'Forget the failures of a user, who then need not wait',
    detail: 'Failures forgotten',
    isOffered: () => true,
    run: (administration, user) => administration.lift(user),
  },
  'send-reset': {
    scope: 'users:write',
    fresh: true,
    summary: 'Mail a user a link that sets a new password',
    detail: 'Mail on its way',
    isOffered: ({ disabled }, { mail, password }) => mail && password && !disabled,
    run: (administration, user) => administration.sendReset(user),
  },
  groups: {
    scope: 'users:write',
    fresh: true,
    summary: 'Change the groups of a user',
    detail: 'Groups changed',
    isOffered: () => true,
    run: (administration, user, groups) => administration.setGroups(user, groups),
  },
  verify: {
    scope: 'users:write',
    fresh: true,
    byAdmins: true,
    summary: 'Say that the address is the one of the user',
    detail: 'Address verified',
    isOffered: ({ addressVerified }, { ownAccounts }) => ownAccounts && !addressVerified,
    run: (administration, user) => administration.verify(user),
  },
  'remove-factors': {
    scope: 'users:write',
    fresh: true,
    summary: 'Remove the second factors of a user, and end the sessions',
    detail: 'Second factors removed',
    isOffered: ({ factors }, { secondFactor }) => secondFactor && factors.length > 0,
    run: (administration, user) => administration.removeFactors(user),
  },
  delete: {
    scope: 'users:write',
    fresh: true,
    summary: 'Delete a user',
    detail: 'User deleted',
    isOffered: (_, { ownAccounts }) => ownAccounts,
    run: (administration, user) => administration.remove(user),
  },
} as const satisfies Record<string, UserAction>;

export type UserActionName = keyof typeof userActions;

export const userActionList = Object.entries(userActions) as [UserActionName, UserAction][];

export const noSuchUser = () => new Refusal(changeRefusals['no-such-user']);
