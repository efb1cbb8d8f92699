import type { Database } from '../../ground/database/database.ts';
import { workOfNewPassword } from '../access/login-limits.ts';
import { maxPasswordBytes } from '../passwords/passwords.ts';
import { minPasswordLength, type PasswordFault, type PasswordOwner } from '../passwords/policy.ts';
import type { AdmitInvitation } from '../ports.ts';
import type { Account } from '../users/account.ts';
import { ChangeRefused, nameTaken } from '../users/change-refused.ts';
import { requireFreeHandle, requireHandle, setHandle } from '../users/handles.ts';
import type { Held } from '../users/held.ts';
import { requireEmail, requireName } from '../users/require-details.ts';
import type { User } from '../users/user.ts';
import type { NewUser } from '../users/user-directory.ts';
import type { Acting } from './acting.ts';
import type { Actor, AdministrationOptions } from './administration.ts';
import type { GroupAdministration } from './group-administration.ts';

export interface UserDetails extends Omit<User, 'id' | 'groups' | 'handle'> {
  readonly password: string;
  /** Names of groups that the user is added to. */
  readonly groups?: readonly string[];
  /** The typed handle. Undefined or empty: none. */
  readonly handle?: string | undefined;
  /** Whether the actor declares the address to be the user's. Default: false. */
  readonly verified?: boolean | undefined;
}

type FirstDo = (db: Database, account: Account) => Promise<void>;

type InvitedDetails = Omit<UserDetails, 'password' | 'verified'>;

export const passwordFaults: Readonly<Record<PasswordFault['code'], string>> = {
  malformed: 'A password must be valid text.',
  'password-too-long': `A password must have at most ${maxPasswordBytes} bytes.`,
  'password-too-short': `A password must have at least ${minPasswordLength} characters. You can use a few words with spaces.`,
  'password-personal':
    'A password must not contain the name or address of the user, or the name of the site (APP_NAME).',
  'password-common':
    'Attackers try this password first, because it is common or has a simple pattern. Use a few words with spaces.',
  'password-breached': 'This password is known from a data breach. Choose another one.',
};

/**
 * Hashes a password that an actor chooses.
 * @param requireUse see `Passwords.hash`
 * @throws {ChangeRefused} if it breaks a rule
 */
export async function hashChosen(
  { passwords, passwordPolicy }: AdministrationOptions,
  { caller }: Actor,
  password: string,
  owner: PasswordOwner,
  requireUse: () => Promise<unknown>,
): Promise<string> {
  const fault = await passwordPolicy.findFault(password, owner);
  if (fault !== undefined) throw new ChangeRefused(passwordFaults[fault.code]);
  return passwords.hash(workOfNewPassword(owner.username, caller), password, requireUse);
}

/** Adds users: with a password, or by an invitation. */
export function createNewUsers(
  options: AdministrationOptions,
  { actor, verification, requireRights, requireRegistry, judge, recordIn }: Acting,
  { setGroupsOf }: Pick<GroupAdministration, 'setGroupsOf'>,
) {
  const { groups, audit } = options;

  async function requireFree({ username }: PasswordOwner): Promise<void> {
    const account = await options.users.findByUsername(username);
    if (account !== undefined && !account.isReplaceable) throw nameTaken();
  }

  async function addUser(
    kind: 'user-added' | 'user-invited',
    { username, firstName, lastName, groups: chosen = [], ...typed }: InvitedDetails,
    complete: (owner: PasswordOwner) => Promise<Pick<NewUser, 'passwordHash' | 'addressProof' | 'verification'>>,
    first?: FirstDo,
  ): Promise<Account> {
    requireRegistry();
    audit.requireAllowance({ kind, ...actor });
    const canonical = requireEmail(username);
    const details = { username: canonical, firstName: requireName(firstName), lastName: requireName(lastName) };
    const handle = typed.handle ? requireHandle(typed.handle) : undefined;
    if (handle !== undefined) await requireFreeHandle(handle, options);
    if (chosen.length > 0) requireRights(await groups.rightsIn(chosen));
    const addedBy = actor.isMachine ? actor.actorId : undefined;
    const user = { ...details, ...(await complete(details)), demo: false, addedBy };
    const setChosen = async (held: Held) => {
      const { account, db } = held;
      // ADMINISTRATORS may list the address, which gives the new user rights.
      judge(account);
      const userId = account.user.id;
      await first?.(db, account);
      await recordIn(db, kind, { userId });
      if (handle !== undefined && (await setHandle(held, handle)))
        await recordIn(db, 'user-handle-changed', { userId });
      if (chosen.length > 0) {
        const { names } = await setGroupsOf(held, () => chosen);
        await recordIn(db, 'user-groups-changed', { userId, about: names.join(' ') });
      }
      if (user.verification !== undefined) await recordIn(db, 'address-verified', { userId });
      return account;
    };
    const account = await options.holdNew?.(user, setChosen, { groups: chosen.length > 0 });
    if (account === undefined) throw nameTaken();
    return account;
  }

  return {
    /** @param first runs in the transaction, before the user gets the groups. Its error rolls back the transaction */
    async add({ password, verified = false, ...details }: UserDetails, first?: FirstDo): Promise<User> {
      const complete = async (owner: PasswordOwner) => ({
        passwordHash: await hashChosen(options, actor, password, owner, () => requireFree(owner)),
        ...(verified && { verification }),
      });
      const { user } = await addUser('user-added', details, complete, first);
      return user;
    },

    /** Adds a user who chooses a password by a link. Returns the link, unless it is mailed. */
    async invite(details: InvitedDetails, byMail: boolean) {
      requireRegistry();
      const { createInvitationLink, admitInvitation } = options;
      if (createInvitationLink === undefined)
        throw new ChangeRefused('This server has no page on which invited users begin.');
      if (byMail && admitInvitation === undefined) throw new ChangeRefused('Set MAIL_URL first.', 'no-mail');
      let invite: Awaited<ReturnType<AdmitInvitation>> | undefined;
      // An account without a password cannot log in. The user therefore has to open the mailed link first, which proves the address.
      const addressProof = byMail ? 'mail' : 'admin';
      // Counts the mail last. A request that is refused for another reason needs none, and waiting would not help it.
      const complete = async (owner: PasswordOwner) => {
        await requireFree(owner);
        if (byMail) invite = await admitInvitation?.(owner.username, actor);
        return { passwordHash: '', addressProof } as const;
      };
      // In the same transaction, or a refused mail would leave a user who was not invited.
      const first: FirstDo = async (db, added) => invite?.(added, db);
      const account = await addUser('user-invited', details, complete, first);
      return { id: account.user.id, link: byMail ? undefined : await createInvitationLink(account) };
    },
  };
}
