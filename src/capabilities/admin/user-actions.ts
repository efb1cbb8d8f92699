import { changeRefusals } from '../../core/access/change-refusals.ts';
import { InvalidFields, Refusal } from '../../core/access/refusal.ts';
import type { Administration } from '../../core/changes/administration.ts';
import { ChangeRefused, Unreadable } from '../../core/users/change-refused.ts';
import { maxHandleLength } from '../../core/users/handles.ts';
import { readNames } from '../../core/users/scopes.ts';
import { addressFault, maxNameLength, maxUsernameLength, newEmailAddress, personName } from '../../core/users/user.ts';
import type { Fields } from '../../web/action.ts';
import { endTokensField } from '../../web/fields.ts';
import type { Features } from '../../web/flow-options.ts';
import { claimsFields, readClaims, refuseClaims } from './claims-field.ts';
import type { FoundUser } from './find-users.ts';

type Sent = Readonly<Record<string, string | undefined>>;

export interface UserAction {
  readonly scope: 'users:write' | 'sessions:write';
  /** The administrator has to prove their identity again. */
  readonly fresh?: true;
  /** Only members of `admins` may take the action. */
  readonly byAdmins?: true;
  readonly summary: string;
  /** The `detail` of the response to a program. */
  readonly detail: string;
  /** The user loses something at once. The page of the user shows such actions apart from the others. */
  readonly dangerous?: true;
  readonly fields?: Fields;
  readonly takesTurn?: true;
  isOffered(user: FoundUser, features: Features): boolean;
  /**
   * @returns the name of the message, if the page shows another than usual
   * @throws {InvalidFields}
   */
  run(administration: Administration, user: { readonly userId: string }, sent: Sent): Promise<unknown>;
}

export const nameFields = {
  first_name: { maxLength: maxNameLength, description: 'First name', examples: ['Eve'] },
  last_name: { maxLength: maxNameLength, description: 'Last name', examples: ['Evans'] },
} as const satisfies Fields;

/** A correction needs both names. They may be empty when a user is added, who then fills them in. */
const correctedNameFields = {
  first_name: { ...nameFields.first_name, required: true },
  last_name: { ...nameFields.last_name, required: true },
} as const satisfies Fields;

export const emailFields = {
  email: { required: true, maxLength: maxUsernameLength, description: 'The address', examples: ['eve@example.com'] },
} as const satisfies Fields;

export const handleFields = {
  handle: {
    maxLength: maxHandleLength,
    description: 'A second name with which the user signs in. Empty: none',
    examples: ['eve'],
  },
} as const satisfies Fields;

export const groupsFields = {
  groups: {
    list: true,
    maxLength: 6400,
    description: 'The names of all groups that the user is in',
    examples: ['staff'],
  },
} as const satisfies Fields;

/** @throws {InvalidFields} */
export function readName({ first_name = '', last_name = '' }: Sent) {
  const [firstName, lastName] = [personName(first_name), personName(last_name)];
  if (firstName === undefined) throw new InvalidFields({ field: 'first_name', code: 'malformed' });
  if (lastName === undefined) throw new InvalidFields({ field: 'last_name', code: 'malformed' });
  return { firstName, lastName };
}

/** @throws {InvalidFields} */
export function readAddress({ email = '' }: Sent): string {
  return newEmailAddress(email) ?? refuseField('email', addressFault(email));
}

function refuseField(
  field: string,
  code: ReturnType<typeof addressFault> | 'taken' | 'not-a-handle' | 'handle-taken',
): never {
  throw new InvalidFields({ field, code });
}

export function refuseTaken(error: unknown): never {
  if (error instanceof ChangeRefused && error.code === 'user-exists') refuseField('email', 'taken');
  throw error;
}

export function refuseHandle(error: unknown): never {
  if (error instanceof Unreadable) refuseField('handle', 'not-a-handle');
  if (error instanceof ChangeRefused && error.code === 'handle-taken') refuseField('handle', 'handle-taken');
  throw error;
}

/** Actions of administrators on a user, by the last part of their path. */
const userActions = {
  name: {
    scope: 'users:write',
    fresh: true,
    summary: 'Correct the name of a user',
    detail: 'Name changed',
    fields: correctedNameFields,
    isOffered: (_, { ownAccounts }) => ownAccounts,
    run: (administration, user, sent) => administration.rename(user, readName(sent)),
  },
  handle: {
    scope: 'users:write',
    fresh: true,
    summary: 'Give a user a handle, or take it away',
    detail: 'Handle changed',
    fields: handleFields,
    isOffered: ({ username }) => username.includes('@'),
    run: (administration, user, { handle = '' }) => administration.setHandle(user, handle).catch(refuseHandle),
  },
  'offer-email': {
    scope: 'users:write',
    fresh: true,
    summary: 'Mail a link to another address of a user, who confirms it after logging in',
    detail: 'Link on its way',
    fields: emailFields,
    isOffered: ({ disabled }, { mail, ownAccounts }) => mail && ownAccounts && !disabled,
    run: (administration, user, sent) => administration.offerAddress(user, readAddress(sent)).catch(refuseTaken),
  },
  'set-email': {
    scope: 'users:write',
    fresh: true,
    byAdmins: true,
    dangerous: true,
    summary: 'Change the address of a user at once, and end the sessions',
    detail: 'Address changed',
    fields: emailFields,
    isOffered: (_, { ownAccounts }) => ownAccounts,
    async run(administration, user, sent) {
      const isInvited = await administration.setAddress(user, readAddress(sent)).catch(refuseTaken);
      return isInvited ? 'reinvited' : undefined;
    },
  },
  disable: {
    dangerous: true,
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
    summary:
      'End the sessions of a user, what applications and devices may do without one, consents, trust in browsers and open links',
    detail: 'Sessions ended',
    fields: { end_tokens: endTokensField },
    isOffered: () => true,
    run: (administration, user, { end_tokens }) =>
      administration.endSessions(user, { endsTokens: end_tokens === 'on' }),
  },
  lift: {
    scope: 'sessions:write',
    summary: 'Forget the failures of a user, who then need not wait',
    detail: 'Failures forgotten',
    takesTurn: true,
    isOffered: () => true,
    run: (administration, user) => administration.lift(user),
  },
  'send-reset': {
    scope: 'users:write',
    fresh: true,
    summary: 'Mail a user a link that sets a new password, or the invitation again',
    detail: 'Mail on its way',
    isOffered: ({ disabled }, { mail, password }) => mail && password && !disabled,
    run: (administration, user) => administration.sendReset(user),
  },
  groups: {
    scope: 'users:write',
    fresh: true,
    summary: 'Change the groups of a user',
    detail: 'Groups changed',
    fields: groupsFields,
    isOffered: () => true,
    run: (administration, user, { groups }) => administration.setGroups(user, readNames(groups)),
  },
  claims: {
    scope: 'users:write',
    fresh: true,
    byAdmins: true,
    summary: 'Set the custom claims of a user',
    detail: 'Claims changed',
    fields: claimsFields,
    isOffered: () => true,
    run(administration, user, sent) {
      const claims = readClaims(sent);
      return administration.setClaims(user, () => claims).catch(refuseClaims);
    },
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
    dangerous: true,
    summary: 'Remove the second factors of a user, and end the sessions',
    detail: 'Second factors removed',
    isOffered: ({ factors }, { secondFactor }) => secondFactor && factors.length > 0,
    run: (administration, user) => administration.removeFactors(user),
  },
  delete: {
    scope: 'users:write',
    fresh: true,
    dangerous: true,
    summary: 'Delete a user',
    detail: 'User deleted',
    isOffered: (_, { ownAccounts }) => ownAccounts,
    run: (administration, user) => administration.remove(user),
  },
} as const satisfies Record<string, UserAction>;

export type UserActionName = keyof typeof userActions;

export const userActionList = Object.entries(userActions) as [UserActionName, UserAction][];

export const noSuchUser = () => new Refusal(changeRefusals['no-such-user']);
