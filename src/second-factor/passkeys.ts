import { hkdfSync } from 'node:crypto';
import type {
  PublicKeyCredentialCreationOptionsJSON as CreationOptions,
  PublicKeyCredentialRequestOptionsJSON as RequestOptions,
} from '@simplewebauthn/server';
import type { Database } from '../database/database.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { User } from '../users/user.ts';
import { algorithmIds, load, type NewPasskey, readCredential, verifyNew, verifyUse } from './ceremonies.ts';
import { type Binding, challengeLifetime, createChallenges } from './challenges.ts';
import type { FactorOwner } from './owner.ts';
import providers from './passkey-providers.json' with { type: 'json' };
import { createPasskeyStore, passkeyId, type StoredPasskey } from './passkey-store.ts';

/** Why a passkey proves nothing. `unknown-passkey` is certain: the server has no such credential, whoever sends it. */
export type PasskeyFault =
  | 'malformed'
  | 'unknown-passkey'
  | 'foreign-passkey'
  | 'expired-challenge'
  | 'invalid-response'
  | 'old-counter';

export interface PasskeyOptions {
  readonly database: Database;
  readonly tokens: Pick<Tokens, 'burn'>;
  /** Signs challenges. */
  readonly key: Buffer;
  /** The domain that passkeys belong to. */
  readonly domain: string;
  /** A set that fills later, because a free port is known only when the app listens. */
  readonly origins: ReadonlySet<string>;
  readonly appName: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Names of widespread providers by their AAGUID, from https://github.com/passkeydeveloper/passkey-authenticator-aaguids. A provider may
 * claim any: the name helps users to tell their passkeys apart, and nothing depends on it.
 */
const providerNames: Readonly<Record<string, string>> = providers;

/** Of all passkeys without another name. A name, like the product names of providers, and the same in all languages. */
const plainName = 'Passkey';

export type Passkeys = ReturnType<typeof createPasskeys>;

/**
 * Passkeys (WebAuthn Level 3). Janua asks for user verification always, so that a passkey is two factors. Every method throws
 * `Unavailable` when the database cannot be reached. `db` may be the transaction of the change that belongs to it.
 */
export function createPasskeys({ database, tokens, key, domain, origins, appName, now }: PasskeyOptions) {
  const challenges = createChallenges(key, tokens, now);
  const store = createPasskeyStore(database);

  const expected = (expectedChallenge: string) =>
    ({
      ...{ expectedChallenge, expectedOrigin: [...origins], expectedRPID: domain },
      requireUserVerification: true,
    }) as const;

  /** Never the address. The same for all passkeys of a user, so that a device keeps one of each user; also after a new `key`. */
  function userHandleOf({ userId, username }: FactorOwner, [first]: readonly StoredPasskey[]): string {
    const derive = () => hkdfSync('sha256', key, '', JSON.stringify(['user-handle', userId, username]), 64);
    return first?.userHandle ?? Buffer.from(derive()).toString('base64url');
  }

  return {
    /** What a browser needs to make a passkey, by `parseCreationOptionsFromJSON`. */
    async creationOptions(owner: FactorOwner, user: User, binding: Binding): Promise<CreationOptions> {
      const passkeys = await store.listOf(owner);
      const { username: name, firstName, lastName } = user;
      return {
        challenge: challenges.create(binding),
        rp: { id: domain, name: appName },
        user: { id: userHandleOf(owner, passkeys), name, displayName: `${firstName} ${lastName}`.trim() || name },
        pubKeyCredParams: algorithmIds.map((alg) => ({ alg, type: 'public-key' })),
        timeout: challengeLifetime,
        excludeCredentials: passkeys.map(describe),
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        attestation: 'none',
      };
    },

    /** Checks the browser's answer to creation options. Undefined for any other. */
    async verifyNew(sent: unknown, binding: Binding): Promise<NewPasskey | undefined> {
      const read = readCredential(sent, 'attestationObject');
      if (read === undefined || !challenges.holds(read.challenge, binding)) return undefined;
      const made = await verifyNew(await load(), read, expected(read.challenge)).catch(() => undefined);
      return made && (await challenges.useUp(read.challenge)) ? made : undefined;
    },

    /**
     * Adds a passkey that was checked. Undefined if somebody has it already: a transaction must then be rolled back.
     * @param name as `personName` reads it. Without it, the name of the provider.
     */
    async add(owner: FactorOwner, made: NewPasskey, name = '', db = database): Promise<StoredPasskey | undefined> {
      const passkey = {
        ...{ ...made, id: passkeyId(made.credentialId), owner },
        userHandle: userHandleOf(owner, await store.listOf(owner, db)),
        name: name || providerNames[made.aaguid] || plainName,
        ...{ createdAt: new Date(now()), lastUsedAt: undefined },
      };
      return (await store.add(passkey, db)) ? passkey : undefined;
    },

    /**
     * What a browser needs to use a passkey, by `parseRequestOptionsFromJSON`.
     * @param owner without it, the user chooses among all passkeys of this domain
     */
    async requestOptions(binding: Binding, owner?: FactorOwner): Promise<RequestOptions> {
      return {
        challenge: challenges.create(binding),
        rpId: domain,
        allowCredentials: owner === undefined ? [] : (await store.listOf(owner)).map(describe),
        userVerification: 'required',
        timeout: challengeLifetime,
      };
    },

    /**
     * Checks the browser's answer to request options, and stores the use. A challenge works once.
     * @param owner as for `requestOptions`. Without it, the caller must check that the account of the id still has the name.
     */
    async prove(sent: unknown, binding: Binding, owner?: FactorOwner): Promise<StoredPasskey | PasskeyFault> {
      const read = readCredential(sent, 'authenticatorData', 'signature');
      if (read === undefined) return 'malformed';
      const passkey = await store.find(read.id);
      if (passkey === undefined) return 'unknown-passkey';
      if (owner !== undefined && !isSameOwner(passkey.owner, owner)) return 'foreign-passkey';
      // Only a browser that was told which credentials it may use may leave it out (WebAuthn 7.2).
      if ((read.response.userHandle ?? (owner && passkey.userHandle)) !== passkey.userHandle) return 'invalid-response';
      if (!challenges.holds(read.challenge, binding)) return 'expired-challenge';
      const used = await verifyUse(await load(), read, passkey, expected(read.challenge)).catch(() => undefined);
      if (used === undefined) return 'invalid-response';
      if (!(await challenges.useUp(read.challenge))) return 'expired-challenge';
      const time = new Date(now());
      const isNoted = await store.noteUse(passkey.id, used, time);
      return isNoted ? { ...passkey, ...used, lastUsedAt: time } : 'old-counter';
    },

    list: store.listOf,
    rename: store.rename,
    remove: store.remove,
  };
}

/** How a user proved who they are. A key that may be copied counts as one in software (RFC 8176). */
export const passkeyMethods = ({ syncable }: StoredPasskey): AuthenticationMethod[] => [
  syncable ? 'swk' : 'hwk',
  'user',
];

export const isSameOwner = (one: FactorOwner, other: FactorOwner): boolean =>
  one.userId === other.userId && one.username === other.username;

const describe = ({ credentialId, transports }: StoredPasskey) => ({
  ...{ id: credentialId, type: 'public-key' as const },
  transports: [...transports],
});
