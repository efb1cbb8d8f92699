import type { Database } from '../../ground/database/database.ts';
import type { AuditOf } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { PasswordPolicy } from '../passwords/policy.ts';
import type { Ports } from '../ports.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Account } from '../users/account.ts';
import { ChangeRefused, nameTaken } from '../users/change-refused.ts';
import { type ChangeClaims, changeOwnClaims } from '../users/claims.ts';
import type { Groups } from '../users/groups.ts';
import { type NameParts, requireFreeHandle, requireHandle, setHandle } from '../users/handles.ts';
import type { Held, HoldNew } from '../users/held.ts';
import type { Imports } from '../users/imports.ts';
import type { InviteLinks, NewInviteLink } from '../users/invite-links.ts';
import { requireEmail } from '../users/require-details.ts';
import { admins, ownScopes, type RequireRights } from '../users/scopes.ts';
import { hasName, type User } from '../users/user.ts';
import type { ListedUser, UserDirectory, UserRegistry } from '../users/user-directory.ts';
import { type AdministrationEvents, createActing, ownTable, type UserReference } from './acting.ts';
import type { EndAddressLinks } from './address-links.ts';
import type { ChangeEvent, Changes } from './change.ts';
import { createGroupAdministration } from './group-administration.ts';
import { createNewUsers, hashChosen } from './new-users.ts';
import { createSessionAdministration } from './session-administration.ts';

export type Administration = ReturnType<typeof createAdministration>;

/** The actor: an operator with a command, or an administrator. */
export interface Actor {
  readonly caller: Caller;
  /** The id of the administrator, or of the client of a program that acts as itself. Undefined for an operator. */
  readonly actorId?: string;
  readonly isMachine?: boolean;
}

export interface AdministrationOptions extends Pick<Changes, 'changeAny'>, Pick<NameParts, 'listClients'> {
  readonly holdNew: HoldNew | undefined;
  readonly users: UserDirectory;
  /** The directory `users`, if this server may change it. Undefined for a team's own table. */
  readonly registry: UserRegistry | undefined;
  readonly groups: Groups;
  /** Undefined for a team's own table. */
  readonly imports: Pick<Imports, 'undo'> | undefined;
  readonly inviteLinks: Pick<InviteLinks, 'add' | 'revoke'> | undefined;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly passwordPolicy: PasswordPolicy;
  readonly endAddressLinks: EndAddressLinks;
  /** Forgets the failed attempts of a user, which ends the waits, and records that. Returns the number of keys of the throttle. */
  readonly lift: (target: { readonly userId: string }, actor: Actor) => Promise<number>;
  readonly createInvitationLink: Ports['createInvitationLink'];
  readonly admitInvitation: Ports['admitInvitation'];
  readonly findInvitation: Ports['findInvitation'];
  /** Checks whether the user has an open invitation that a mailed one can replace. Undefined where no mail is sent. */
  readonly isInvited: ((held: Held) => Promise<boolean>) | undefined;
  /** Mails a link to another address of the user. Undefined where no mail is sent. */
  readonly offerAddress: ((user: Account, address: string, actor: Actor) => Promise<void>) | undefined;
  /** Mails a link that sets a new password. Undefined where no mail is sent, or no password can be set. */
  readonly sendReset: ((user: User, actor: Actor) => Promise<void>) | undefined;
  /** @param judge is called with the locked account */
  readonly removeFactors: (user: User, actor: Actor, judge: (account: Account) => void) => Promise<void>;
  readonly audit: AuditOf<AdministrationEvents>;
  readonly transact: <Result>(work: (db: Database) => Promise<Result>) => Promise<Result>;
}

/**
 * The actions of administrators, for commands and pages. Ends sessions if the change requires it (ASVS 7.4.2). Every method throws
 * `ChangeRefused` if it cannot make the change.
 * @param requireRights judges the target before and after a change, in the transaction of the change. Default, for commands: no limit
 */
export function createAdministration(
  options: AdministrationOptions,
  actor: Actor,
  requireRights: RequireRights = () => {},
) {
  const { users, audit } = options;
  const acting = createActing(options, actor, requireRights);
  const {
    verification,
    requireRegistry,
    find,
    adopt,
    judge,
    requireAccount,
    change,
    changeFound,
    recordIn,
    recording,
  } = acting;
  const { setGroupsOf, ...groups } = createGroupAdministration(options, acting);

  const setDisabled = (reference: UserReference, disabled: boolean) =>
    change(disabled ? 'user-disabled' : 'user-enabled', reference, async (registry, held) => {
      // Outside the demo, a user of the demo (`isReplaceable`) reads as disabled, so that the stored value is unknown here.
      if (held.account.disabled === disabled && !held.account.isReplaceable) return false;
      await registry.setDisabled(held, disabled);
      return true;
    });

  return {
    ...groups,
    ...createNewUsers(options, acting, { setGroupsOf }),
    ...createSessionAdministration(options, acting),

    /** Declares the address to be the user's. Applications link accounts by it, so on pages only members of `admins` may do this. */
    verify: (reference: UserReference) =>
      changeFound('address-verified', reference, async (held) => {
        if (held.account.isAddressVerified) return false;
        await users.verifyAddress(held, held.user.username, verification);
        return true;
      }),

    rename: (reference: UserReference, name: Pick<User, 'firstName' | 'lastName'>) =>
      change('user-renamed', reference, async (registry, held) => {
        if (hasName(held.user, name)) return false;
        await registry.setName(held, name);
        return true;
      }),

    /** Gives the user a handle. An empty one takes it away. */
    async setHandle(reference: UserReference, typed: string): Promise<void> {
      const handle = typed === '' ? undefined : requireHandle(typed);
      if (handle !== undefined) await requireFreeHandle(handle, options);
      await changeFound('user-handle-changed', reference, (held) => setHandle(held, handle));
    },

    /**
     * Changes the custom claims of a user. They replace those of the user's groups, such as the rights that an application reads there. So
     * on pages only members of `admins` may do this.
     */
    async setClaims(reference: UserReference, change: ChangeClaims): Promise<void> {
      type Made = Awaited<ReturnType<typeof changeOwnClaims>>;
      const event = {
        kind: 'user-claims-changed',
        about: ({ names }: Made) => names.join(' '),
        isChange: ({ isChange }: Made) => isChange,
      } as const;
      await options.changeAny(event, (await adopt(reference)).user.id, actor, (held) => {
        judge(held.account);
        requireRights({ groups: [admins], scopes: Object.keys(ownScopes) });
        return changeOwnClaims(held, change);
      });
    },

    /**
     * Mails a link to another address of the user. The link is valid only in a session of the user. The new mailbox alone does not give
     * access to the account, so an administrator cannot take over an account by naming their own address.
     */
    async offerAddress(reference: UserReference, typed: string): Promise<void> {
      const registry = requireRegistry();
      const address = requireEmail(typed);
      const account = await requireAccount(reference);
      if (options.offerAddress === undefined) throw new ChangeRefused('Set MAIL_URL first.', 'no-mail');
      if (account.disabled) throw new ChangeRefused('The user is disabled. Enable them first.');
      if ((await users.findByUsername(address)) !== undefined) throw nameTaken();
      await registry.requireOtherByAddress(account.user.id);
      await options.offerAddress(account, address, actor);
      await audit.record({ kind: 'user-email-link-sent', ...actor, userId: account.user.id });
    },

    /**
     * Changes the address at once, and declares it to be the user's. The new mailbox gives access to the account, so on pages only members
     * of `admins` may do this. A user who has not used the invitation yet gets another one at the new address, because the link in the
     * former one ends. Returns whether the user was invited again.
     */
    async setAddress(reference: UserReference, typed: string): Promise<boolean> {
      const address = requireEmail(typed);
      const registry = requireRegistry();
      const target = await find(reference);
      judge(target);
      const userId = target.user.id;
      // Limited like mails, because notices and perhaps an invitation go to the address: an administrator must not flood it.
      const invite = await options.admitInvitation?.(address, actor, userId);
      const event: ChangeEvent<'unchanged' | 'changed' | 'invited'> = {
        kind: 'user-email-changed',
        isChange: (made) => made !== 'unchanged',
        async complete(made, account, db) {
          if (made !== 'invited') return;
          await invite?.(account, db);
          await recordIn(db, 'user-invited', { userId, reason: 'again' });
        },
      };
      const { made } = await options.changeAny(event, userId, actor, async (held) => {
        judge(held.account);
        if (held.user.username === address && held.account.isAddressVerified) return 'unchanged';
        const isInvited = (await options.isInvited?.(held)) ?? false;
        if (!(await registry.setUsername(held, address, verification))) throw nameTaken();
        return isInvited ? 'invited' : 'changed';
      });
      return made === 'invited';
    },

    list: (): AsyncIterable<ListedUser> => users.list(),

    async setPassword(reference: UserReference, password: string): Promise<void> {
      requireRegistry();
      const { user } = await requireAccount(reference);
      const target = { userId: user.id };
      audit.requireAllowance({ kind: 'password-set', ...actor, ...target });
      const passwordHash = await hashChosen(options, actor, password, user, () => requireAccount(target));
      await change('password-set', target, async (_registry, held) => {
        await users.setPassword?.(held, passwordHash);
        return true;
      });
    },

    disable: (reference: UserReference) => setDisabled(reference, true),

    enable: (reference: UserReference) => setDisabled(reference, false),

    remove: (reference: UserReference) =>
      change('user-removed', reference, async (registry, held) => {
        await registry.remove(held);
        return true;
      }),

    /** Removes the users of an import, all or none, and returns how many there were. No user may have signed in yet. */
    async undoImport(id: string): Promise<number> {
      if (options.imports === undefined) throw ownTable();
      return options.imports.undo(id, requireRights, recording('import-undone', { about: id }));
    },

    /** Makes a link by which many users may join. Returns its path, whose secret is known only now. */
    async addInviteLink(link: NewInviteLink) {
      if (options.inviteLinks === undefined) throw ownTable();
      const record = recording('invite-link-made', {});
      return options.inviteLinks.add(link, actor.actorId, requireRights, record);
    },

    async revokeInviteLink(id: string): Promise<void> {
      if (options.inviteLinks === undefined) throw ownTable();
      const record = recording('invite-link-revoked', { about: id });
      await options.inviteLinks.revoke(id, actor.actorId, requireRights, record);
    },

    /** Mails the user a link that sets a new password. A user who has not used the invitation yet gets the invitation again. */
    async sendReset(reference: UserReference): Promise<void> {
      const account = await adopt(reference);
      judge(account);
      const { user, disabled } = account;
      if (options.sendReset === undefined)
        throw new ChangeRefused('Set MAIL_URL first, and let Janua write passwords.', 'no-mail');
      if (disabled) throw new ChangeRefused('The user is disabled. Enable them first.');
      const invitation = await options.findInvitation?.(account);
      if (invitation?.mayRepeat) {
        if (options.admitInvitation === undefined) throw new ChangeRefused('Set MAIL_URL first.', 'no-mail');
        const invite = await options.admitInvitation(user.username, actor, user.id);
        return options.transact(async (db) => {
          await invite(account, db);
          await recordIn(db, 'user-invited', { userId: user.id, reason: 'repeated' });
        });
      }
      await options.sendReset(user, actor);
      await audit.record({ kind: 'reset-sent', ...actor, userId: user.id });
    },

    removeFactors: async (reference: UserReference): Promise<void> =>
      options.removeFactors((await requireAccount(reference)).user, actor, judge),

    /** Forgets the failed attempts of a user, and returns the number of keys of the throttle. */
    async lift(reference: UserReference): Promise<number> {
      return options.lift({ userId: (await requireAccount(reference)).user.id }, actor);
    },
  };
}
