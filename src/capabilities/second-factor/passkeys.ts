import { hkdfSync } from 'node:crypto';
import type { AuthenticatorTransport } from '@simplewebauthn/server';
import type { PasskeyFault } from '../../core/access/factor.ts';
import type { Core } from '../../core/core.ts';
import type { PasskeySignal } from '../../core/ports.ts';
import { hashSecret } from '../../core/sessions/credential.ts';
import type { AuthenticationMethod } from '../../core/sessions/store.ts';
import { perSecond } from '../../core/throttle/backoff.ts';
import type { Held } from '../../core/users/held.ts';
import { limitRows, tooManyKept } from '../../core/users/row-limits.ts';
import type { User } from '../../core/users/user.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import type { PasskeysTable } from '../../ground/database/schema.ts';
import { boundOf } from '../../ground/database/tables.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { type Binding, challengeLifetime, createChallenges } from './challenges.ts';
import providers from './passkey-providers.json' with { type: 'json' };
import { columnsOf, timesOf } from './rows.ts';
import { algorithmIds, type NewPasskey, readCredential, verifyAssertion, verifyRegistration } from './webauthn.ts';

interface PasskeyOptions extends Pick<Core, 'database' | 'tokens' | 'throttle' | 'appName' | 'now'> {
  /** Signs challenges. */
  readonly key: Buffer;
  /** The domain of the passkeys. Without it, passkeys can neither be added nor used. Stored ones stay, and still count as factors. */
  readonly domain: string | undefined;
  /** The origins of this server. If the system chooses the port, the set is empty until the app listens. */
  readonly origins: ReadonlySet<string>;
  /** The origins of mobile applications (`PASSKEY_APPS`). */
  readonly appOrigins?: readonly string[];
}

/**
 * Names of widespread providers by their AAGUID, from https://github.com/passkeydeveloper/passkey-authenticator-aaguids, and of security
 * keys from https://yubi.co/aaguids. A provider may claim any AAGUID: the name helps users to tell their passkeys apart, and no decision
 * depends on it.
 */
const providerNames: Readonly<Record<string, string>> = providers;

/**
 * The name of the provider, or an empty text if it is unknown. Mails contain it in place of the typed name, which could be an attacker's
 * text.
 */
export const nameProvider = (aaguid = ''): string => providerNames[aaguid] ?? '';

/** The name of a passkey whose provider is unknown. It is the same in all languages, like the product names of providers. */
export const plainName = 'Passkey';

export type Passkeys = ReturnType<typeof createPasskeys>;

export type Passkey = ReturnType<typeof fromRow>;

/**
 * Passkeys (WebAuthn Level 3). Janua always requires user verification, so that a passkey is two factors. Every method throws `Unavailable`
 * when the database cannot be reached. `db` may be a transaction of the caller.
 */
export function createPasskeys(options: PasskeyOptions) {
  const { database, tokens, throttle, key, domain = '', origins, appOrigins = [], appName, now } = options;
  const challenges = createChallenges(key, tokens, now);
  const fixed = { expectedRPID: domain, requireUserVerification: true };
  const expected = (expectedChallenge: string) => ({
    ...{ expectedChallenge, expectedOrigin: [...origins, ...appOrigins] },
    ...fixed,
  });

  /**
   * Uses up a valid challenge. Of many calls at the same time, one returns true.
   * @param party a user, or a session that adds a passkey, whose uses are counted together
   * @throws {Unavailable} after too many uses
   */
  async function useUp(challenge: string, party: string): Promise<boolean> {
    // Limited, because each use stores a row, even if the passkey is refused.
    if (!(await throttle.take([{ key: `passkey:${party}`, policy: perSecond }])))
      throw new Unavailable('The limit of passkeys', perSecond.firstWaitSeconds);
    return challenges.useUp(challenge);
  }

  /**
   * Returns the user handle of WebAuthn, which contains no address. All passkeys of a user have the same handle, so that a device stores
   * only one for each user. The handle of the first passkey is used again, even if `key` has changed since.
   */
  function userHandleOf(user: Pick<User, 'id'>, [first]: readonly Passkey[]): string {
    const derive = () => hkdfSync('sha256', key, '', JSON.stringify(['user-handle', user.id]), 64);
    return first?.user_handle ?? Buffer.from(derive()).toString('base64url');
  }

  /** Describes a user for the provider of the passkeys. */
  function describeUser(user: User, passkeys: readonly Passkey[]) {
    const { username, firstName, lastName } = user;
    const displayName = `${firstName} ${lastName}`.trim() || username;
    return { id: userHandleOf(user, passkeys), name: username, displayName };
  }

  /** Lists the passkeys of a user, oldest first. */
  async function list(user: Pick<User, 'id'>, db = database): Promise<Passkey[]> {
    const own = db.selectFrom('janua_passkeys').where('user_id', '=', user.id);
    return (await own.selectAll().orderBy('created_at').execute()).map(fromRow);
  }

  /**
   * Stores a use. False if a use with the same or a higher counter was stored before (WebAuthn 6.1.1): the passkey may have been copied.
   */
  async function noteUse(id: string, { counter, synced }: Pick<NewPasskey, 'counter' | 'synced'>): Promise<boolean> {
    const { numUpdatedRows } = await database
      .updateTable('janua_passkeys')
      .set({ counter, synced: Number(synced), last_used_at: now() })
      .where('id', '=', id)
      // The counter of synced passkeys stays 0.
      .where('counter', counter === 0 ? '=' : '<', counter)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  return {
    list,

    /**
     * Describes the passkeys of a user to browsers (WebAuthn Level 3, 5.1.10), which then offer only these, with the present name.
     * Undefined without a domain.
     */
    describeForBrowser(user: User, passkeys: readonly Passkey[]): PasskeySignal | undefined {
      const { id: userId, ...named } = describeUser(user, passkeys);
      const allAcceptedCredentialIds = passkeys.map(({ credential_id }) => credential_id);
      return domain === '' ? undefined : { rpId: domain, userId, ...named, allAcceptedCredentialIds };
    },

    /**
     * Makes the options with which a browser creates a passkey, for `parseCreationOptionsFromJSON`.
     * @throws {ChangeRefused} `too-many-kept`
     */
    async creationOptions(user: User, binding: Binding) {
      const passkeys = await list(user);
      // Checked early: otherwise the device would store a passkey that Janua then refuses.
      if (passkeys.length >= boundOf('janua_passkeys').most) throw tooManyKept('janua_passkeys');
      return {
        challenge: challenges.create(binding),
        rp: { id: domain, name: appName },
        user: describeUser(user, passkeys),
        pubKeyCredParams: algorithmIds.map((alg) => ({ alg, type: 'public-key' as const })),
        timeout: challengeLifetime,
        excludeCredentials: passkeys.map(describe),
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        attestation: 'none',
      } as const;
    },

    /** Checks the browser's answer to creation options. Undefined if it is not valid. */
    async verifyRegistration(sent: unknown, binding: Binding): Promise<NewPasskey | undefined> {
      const read = readCredential(sent, 'attestationObject');
      if (read === undefined || !challenges.isValid(read.challenge, binding)) return undefined;
      const made = await verifyRegistration(read, expected(read.challenge)).catch(() => undefined);
      return made && (await useUp(read.challenge, binding.purpose)) ? made : undefined;
    },

    /**
     * Adds a passkey that was checked. Undefined if it is stored already: the transaction must then be rolled back.
     * @param name as `personName` reads it. Default: the name of the provider, and of the browser that created the passkey
     * @throws {ChangeRefused} `too-many-kept`
     */
    async add({ user, db }: Held, made: NewPasskey, name = '', browser?: string): Promise<Passkey | undefined> {
      const provider = nameProvider(made.aaguid) || plainName;
      const own = await list(user, db);
      const row = {
        ...made,
        id: idOf(made.credential_id),
        ...columnsOf(user),
        syncable: Number(made.syncable),
        synced: Number(made.synced),
        user_handle: userHandleOf(user, own),
        name: name || numbered(browser === undefined ? provider : `${provider} (${browser})`, own),
        created_at: now(),
        last_used_at: null,
      };
      if (!(await insertNew(db.insertInto('janua_passkeys').values(row)))) return undefined;
      await limitRows(db, 'janua_passkeys', user, row.created_at);
      return fromRow(row);
    },

    /**
     * Makes the options with which a browser uses a passkey, for `parseRequestOptionsFromJSON`.
     * @param user undefined if the user may choose among all passkeys of this domain
     */
    requestOptions: async (binding: Binding, user?: Pick<User, 'id'>) => ({
      challenge: challenges.create(binding),
      rpId: domain,
      allowCredentials: user === undefined ? [] : (await list(user)).map(describe),
      userVerification: 'required' as const,
      timeout: challengeLifetime,
    }),

    /**
     * Checks the browser's answer to request options, and stores the use. A challenge works once.
     * @param user as for `requestOptions`. Without it, the caller must check that the account of the passkey still exists
     */
    async prove(sent: unknown, binding: Binding, user?: Pick<User, 'id'>): Promise<Passkey | PasskeyFault> {
      const read = readCredential(sent, 'authenticatorData', 'signature');
      if (read === undefined) return 'malformed';
      const query = database.selectFrom('janua_passkeys').selectAll().where('id', '=', idOf(read.id));
      const row = await query.executeTakeFirst();
      if (row === undefined) return 'unknown-passkey';
      const passkey = fromRow(row);
      if (user !== undefined && passkey.userId !== user.id) return 'foreign-passkey';
      const { user_handle: userHandle } = passkey;
      // The user handle may be missing only if the options listed the credentials (WebAuthn 7.2).
      if ((read.response.userHandle ?? (user && userHandle)) !== userHandle) return 'invalid-response';
      if (!challenges.isValid(read.challenge, binding)) return 'expired-challenge';
      const used = await verifyAssertion(read, passkey, expected(read.challenge)).catch(() => undefined);
      if (used === undefined) return 'invalid-response';
      if (!(await useUp(read.challenge, passkey.userId))) return 'expired-challenge';
      return (await noteUse(passkey.id, used)) ? passkey : 'old-counter';
    },

    /** False if the user has no such passkey. */
    async rename(user: Pick<User, 'id'>, id: string, name: string): Promise<boolean> {
      const own = database.updateTable('janua_passkeys').where('id', '=', id).where('user_id', '=', user.id);
      return (await own.set({ name }).executeTakeFirst()).numUpdatedRows > 0n;
    },

    /** Removes a passkey, or all without an `id`. False if there was none. */
    async remove(user: Pick<User, 'id'>, id?: string, db = database): Promise<boolean> {
      const own = db.deleteFrom('janua_passkeys').where('user_id', '=', user.id);
      return (await countDeleted(id === undefined ? own : own.where('id', '=', id))) > 0;
    },
  };
}

/** Makes a name that no other passkey of the user has, such as `Passkey (2)`. */
function numbered(name: string, own: readonly Passkey[]): string {
  const isTaken = (wanted: string) => own.some((passkey) => passkey.name === wanted);
  let unique = name;
  for (let number = 2; isTaken(unique); number += 1) unique = `${name} (${number})`;
  return unique;
}

/** Authentication methods of a passkey. A key that may be copied counts as a key in software (RFC 8176). */
export const passkeyMethods = ({ syncable }: Pick<Passkey, 'syncable'>): AuthenticationMethod[] => [
  syncable ? 'swk' : 'hwk',
  'user',
];

/** Returns the key of the row: a hash, because the id of a credential may have 1,023 bytes, and not every database has such long keys. */
const idOf = (credentialId: string): string => hashSecret(credentialId);

const fromRow = ({ user_id: userId, created_at, last_used_at, ...row }: PasskeysTable) => ({
  ...row,
  userId,
  ...timesOf({ created_at, last_used_at }),
  counter: Number(row.counter),
  syncable: row.syncable === 1,
  synced: row.synced === 1,
});

const describe = ({ credential_id, transports }: Passkey) => ({
  id: credential_id,
  type: 'public-key' as const,
  transports: transports.split(' ').filter(Boolean) as AuthenticatorTransport[],
});
