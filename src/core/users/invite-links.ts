import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { sql } from '../../ground/database/kysely.ts';
import type { Row } from '../../ground/database/schema.ts';
import { canonicalDomain } from '../../ground/text/mail-address.ts';
import { createEventIds } from '../audit/event-id.ts';
import { createSecret, hashSecret } from '../sessions/credential.ts';
import { rightsOfAccount } from './account.ts';
import { ChangeRefused } from './change-refused.ts';
import { type Groups, inGroupsTransaction } from './groups.ts';
import type { Held } from './held.ts';
import { joinPath } from './invite-limits.ts';
import { type createMayGive, operator } from './may-give.ts';
import { limitRows } from './row-limits.ts';
import { admins, type RequireRights, type Rights, readNames } from './scopes.ts';

export interface NewInviteLink {
  readonly label: string;
  readonly groups: readonly string[];
  /** How many users may join. */
  readonly uses: number;
  readonly days: number;
  /** The domain that addresses must have. Empty: any. */
  readonly domain: string;
}

export interface InviteLink extends Omit<NewInviteLink, 'days'> {
  readonly id: string;
  /** The id of the administrator who made the link. Undefined for an operator. */
  readonly makerId: string | undefined;
  /** How many users have joined. */
  readonly used: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface InviteLinkOptions {
  readonly database: Database;
  readonly groups: Pick<Groups, 'rightsIn' | 'setGroupsOf'>;
  readonly mayGive: ReturnType<typeof createMayGive>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The link is used up, expired or revoked, or its maker may no longer give its groups. The transaction changed nothing. */
export class InviteLinkOver extends Error {
  override readonly name = 'InviteLinkOver';
}

type RecordIn = (db: Database, change?: { readonly about: string }) => Promise<void>;

export type InviteLinks = ReturnType<typeof createInviteLinks>;

/**
 * Links by which many users may join, each after a mailed link has proved the address. The secret of a link is stored as its hash only. A
 * link lasts as long as its maker could give its groups. That is judged at each use, in the transaction that adds the user. It also ends
 * with what ends personal access tokens, because a thief of the maker's session may have made it.
 */
export function createInviteLinks({ database, groups, mayGive, now }: InviteLinkOptions) {
  const createId = createEventIds();
  const living = (db = database) => db.selectFrom('janua_invite_links').selectAll().where('expires_at', '>', now());

  /** Returns the link unless it is used up, or its maker may no longer give its groups. */
  async function judge(row: Row<'janua_invite_links'> | undefined): Promise<InviteLink | undefined> {
    if (row === undefined || row.used >= row.uses) return undefined;
    const rights = await groups.rightsIn(readNames(row.group_names)).catch(undefinedWithoutGroup);
    return rights !== undefined && (await mayGive(row.user_id, rights)) ? fromRow(row) : undefined;
  }

  /** Puts a new user into groups, and returns the rights that these give. @throws {ChangeRefused} `no-such-group` */
  async function setGroups(held: Held, names: readonly string[]): Promise<Rights> {
    let given: Rights = { groups: [], scopes: [] };
    await groups.setGroupsOf(held, (_present, rightsIn) => {
      given = rightsIn(names);
      return names;
    });
    return given;
  }

  return {
    /**
     * Makes a link, and returns its path. The secret in it is known only now.
     * @param makerId the id of the administrator. Undefined for an operator
     * @throws {ChangeRefused} for `admins`, an unknown group, or too many links
     */
    async add(link: NewInviteLink, makerId: string | undefined, requireRights: RequireRights, recordIn: RecordIn) {
      if (link.groups.includes(admins))
        throw new ChangeRefused('A link for many makes no administrators. Add them one by one.');
      const rights = await groups.rightsIn(link.groups);
      requireRights(rights);
      const [id, secret, time] = [createId(now()), createSecret(), now()];
      const expiresAt = time + link.days * 86_400_000;
      const row = {
        ...{ id, hash: hashSecret(secret), user_id: makerId ?? operator, label: link.label, uses: link.uses, used: 0 },
        ...{ group_names: link.groups.join(' '), domain: link.domain, created_at: time, expires_at: expiresAt },
      };
      await inGroupsTransaction(database, async (db) => {
        await db.insertInto('janua_invite_links').values(row).execute();
        await limitRows(db, 'janua_invite_links', { id: row.user_id }, time);
        await recordIn(db, { about: [id, ...link.groups].join(' ') });
      });
      return { id, path: `${joinPath}?token=${secret}`, expiresAt: new Date(expiresAt) };
    },

    /** Lists a page of the links that have not expired, the newest first. @param before the id of the last link of the page before */
    async list(limit: number, before: string | undefined): Promise<InviteLink[]> {
      const found = living().orderBy('id', 'desc').limit(limit);
      return (await (before === undefined ? found : found.where('id', '<', before)).execute()).map(fromRow);
    },

    /** Ends a link: one's own, or one within one's rights. @throws {ChangeRefused} `no-such-invite-link` */
    revoke: (
      id: string,
      actorId: string | undefined,
      requireRights: RequireRights,
      recordIn: RecordIn,
    ): Promise<void> =>
      inGroupsTransaction(database, async (db) => {
        const row = await living(db).where('id', '=', id).executeTakeFirst();
        if (row !== undefined && row.user_id !== actorId)
          requireRights({ groups: readNames(row.group_names), scopes: [] });
        if ((await countDeleted(db.deleteFrom('janua_invite_links').where('id', '=', id))) === 0)
          throw new ChangeRefused('There is no such link, or it has expired.', 'no-such-invite-link');
        await recordIn(db, { about: id });
      }),

    /** Finds the link that works now, by its secret. */
    find: async (secret: string): Promise<InviteLink | undefined> =>
      judge(await living().where('hash', '=', hashSecret(secret)).executeTakeFirst()),

    findById: async (id: string): Promise<InviteLink | undefined> =>
      judge(await living().where('id', '=', id).executeTakeFirst()),

    /**
     * Counts a use, and puts the new user into the groups of the link. Must run in an `inGroupsTransaction`, so that no concurrent change
     * takes the groups from the maker meanwhile.
     * @returns the names of the groups
     * @throws {InviteLinkOver}
     */
    async use(held: Held, id: string): Promise<readonly string[]> {
      const { db, account } = held;
      const left = db.updateTable('janua_invite_links').where('id', '=', id).where(sql<boolean>`used < uses`);
      const counted = await left
        .where('expires_at', '>', now())
        .set({ used: sql<number>`used + 1` })
        .executeTakeFirst();
      const row = await living(db).where('id', '=', id).executeTakeFirst();
      if (counted.numUpdatedRows === 0n || row === undefined) throw new InviteLinkOver();
      // ADMINISTRATORS may list the address, which gives the new user rights.
      if (!(await mayGive(row.user_id, rightsOfAccount(account), db))) throw new InviteLinkOver();
      const names = readNames(row.group_names);
      const given = await setGroups(held, names).catch(undefinedWithoutGroup);
      if (given === undefined || !(await mayGive(row.user_id, given, db))) throw new InviteLinkOver();
      return names;
    },
  };
}

async function undefinedWithoutGroup(error: unknown): Promise<undefined> {
  if (!(error instanceof ChangeRefused && error.code === 'no-such-group')) throw error;
}

const fromRow = (row: Row<'janua_invite_links'>): InviteLink => ({
  ...{ id: row.id, label: row.label, domain: row.domain, uses: row.uses, used: row.used },
  makerId: row.user_id === operator ? undefined : row.user_id,
  groups: readNames(row.group_names),
  createdAt: new Date(Number(row.created_at)),
  expiresAt: new Date(Number(row.expires_at)),
});

/** Tells whether an address has the domain of a link. */
export const isOfLinkDomain = ({ domain }: Pick<InviteLink, 'domain'>, address: string): boolean =>
  domain === '' || canonicalDomain(domain) === address.slice(address.indexOf('@') + 1);
