import { isDeepStrictEqual } from 'node:util';
import { type FieldFault, InvalidFields } from '../../../core/access/refusal.ts';
import type { AuditOf } from '../../../core/audit/audit.ts';
import type { ChangeKindOf } from '../../../core/audit/event.ts';
import type { Actor } from '../../../core/changes/administration.ts';
import { ChangeRefused } from '../../../core/users/change-refused.ts';
import { admins, ownScopes, type RequireRights, type Rights } from '../../../core/users/scopes.ts';
import type { Database } from '../../../ground/database/database.ts';
import { printable } from '../../../ground/text/printable.ts';
import type { ClientClaim } from '../claim-table.ts';
import type { events } from '../events.ts';
import type { IsGranted } from '../machines/find-machine.ts';
import type { Machine } from '../machines/machine.ts';
import { nameTrust, type Trust } from '../machines/trust.ts';
import type { Exchanges, NewResource, Resource, ResourceSettings, Resources } from '../resources/resources.ts';
import type { Consents } from '../sign-in/consents.ts';
import { textOfRow } from './claim-form.ts';
import { findTableFaults } from './claim-rules.ts';
import { hasKeys, nameKeys } from './client-keys.ts';
import { type ClientRules, findClientFaults, findResourceFaults, findSecretFaults } from './client-rules.ts';
import {
  type ClientSecret,
  createClientSecret,
  firstSecret,
  type NewSecret,
  withoutSecret,
  withSecret,
} from './client-secrets.ts';
import {
  type Client,
  type ClientChanges,
  type ClientSettings,
  type Clients,
  defaultSettings,
  isProgram,
  type NewClient,
  withChanges,
} from './clients.ts';

export interface ClientAdministrationOptions {
  readonly clients: Clients;
  readonly resources: Resources;
  readonly consents: Pick<Consents, 'forgetClient'>;
  /** Lists the names of all groups. Undefined if a column of a team's own table has them. */
  readonly groupNames: () => Promise<readonly string[] | undefined>;
  readonly privateHosts: ClientRules['privateHosts'];
  readonly publicOrigins: ClientRules['publicOrigins'];
  /** Tells whether a resource or a user is known by this id. */
  readonly isTakenId: (id: string) => Promise<boolean>;
  readonly isGranted: IsGranted;
  /** Ends all codes, tokens and grants that a client holds. */
  readonly endGrantsOf: (clientId: string) => Promise<void>;
  /** Forgets which users the client has added. */
  readonly disownUsers: (clientId: string) => Promise<void>;
  readonly audit: AuditOf<typeof events>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Returns the rights that an administrator needs to change the client: the groups whose members alone may use it. No client holds scopes of
 * Janua.
 */
export function rightsOfClient(client: ClientSettings): Rights {
  const { groups, own, pkce } = client;
  // Only members of `admins` decide what a program may do, and no token that carries only some of their scopes.
  const ofProgram = isProgram(client);
  return {
    groups: ofProgram ? [...groups, admins] : groups,
    scopes: ofProgram ? Object.keys(ownScopes) : [],
    addedBy: null,
    isTrusted: own || pkce === 'optional',
  };
}

/** The last part of the address of a page. The page of a client with this id could not be opened. */
const pageToAdd = 'add';

type AddedResource = Omit<NewResource, 'alg'> & Partial<Pick<NewResource, 'alg'>>;

export type ClientAdministration = ReturnType<typeof createClientAdministration>;

/**
 * Creates the actions of administrators on clients and resources, for commands and pages. Methods throw `InvalidFields`, with the field
 * names of the API, for invalid input, and `ChangeRefused` for a client or resource that does not exist or can have no secret.
 * @param requireRights throws if the actor lacks these rights. A command may change every client
 */
export function createClientAdministration(
  options: ClientAdministrationOptions,
  actor: Actor,
  requireRights: RequireRights = () => {},
) {
  const { clients, resources, consents, groupNames, privateHosts, publicOrigins, audit, now } = options;
  const { isTakenId, isGranted, endGrantsOf, disownUsers } = options;

  function recordIn(kind: ChangeKindOf<typeof events>, about: string) {
    audit.requireAllowance({ kind, ...actor });
    return (db: Database) => audit.recordIn(db, { kind, ...actor, about });
  }

  function recordClient(kind: ChangeKindOf<typeof events>, detail?: string) {
    audit.requireAllowance({ kind, ...actor });
    return (db: Database, client: Client) =>
      audit.recordIn(db, { kind, ...actor, about: client.id, aboutName: client.name, detail });
  }

  const judge = (client: ClientSettings) => requireRights(rightsOfClient(client));

  const rulesNow = async (): Promise<ClientRules> => ({ groups: await groupNames(), privateHosts, publicOrigins });

  async function requireGood(client: NewClient, rules: ClientRules, before?: ClientSettings): Promise<void> {
    refuse(findClientFaults(client, rules, before));
    await requireScopesAt('may', client.machine?.may ?? {});
  }

  /** Requires that the resources exist, and have these scopes. */
  async function requireScopesAt(field: 'may' | 'exchange_for', wanted: Exchanges): Promise<void> {
    for (const [uri, scopes] of Object.entries(wanted)) {
      const known = (await resources.find(uri))?.scopes;
      const values = { uri: printable(uri.slice(0, 255)), scopes: known?.join(', ') ?? '' };
      if (known === undefined) refuse([{ field, code: 'unknown-resource', values }]);
      if (scopes.some((scope) => !known?.includes(scope))) refuse([{ field, code: 'not-of-resource', values }]);
    }
  }

  /** Refuses an id that is taken. A user and a client must not share one, because a token could be of either (RFC 9700 4.15). */
  async function requireFreeId(id: string): Promise<void> {
    if (id !== pageToAdd && (await clients.find(id)) === undefined && !(await isTakenId(id))) return;
    throw new ChangeRefused(`The id ${id} is taken.`);
  }

  /** Notes who grants what a program may do, and which workloads prove it. */
  function granted<Settings extends Pick<ClientChanges, 'machine' | 'trusts'>>(settings: Settings): Settings {
    const by = { grantedBy: actor.actorId };
    return {
      ...settings,
      ...(settings.machine && { machine: { ...settings.machine, ...by } }),
      ...(settings.trusts && { trusts: settings.trusts.map((trust) => ({ ...trust, ...by })) }),
    };
  }

  async function changeSecrets(
    id: string,
    kind: ChangeKindOf<typeof events>,
    name: string,
    change: (present: readonly ClientSecret[]) => readonly ClientSecret[],
  ): Promise<void> {
    if (kind !== 'client-secret-removed' && hasKeys(await requireClient(id)))
      throw new ChangeRefused('The client proves itself with keys, so no secret of it counts. Remove its keys first.');
    await requireClient(id);
    const made = await clients.changeSecrets(id, change, judge, recordClient(kind, name));
    if (made === undefined) throw new ChangeRefused('A public client has no secret.');
  }

  /** Removes a client, without its grants and consents. They are void without it. */
  async function removeClientAlone(id: string): Promise<void> {
    if (!(await clients.remove(id, judge, recordClient('client-removed')))) throw noSuchClient();
  }

  /**
   * Deletes the grants and consents of a removed client. There can be very many, so they are deleted in batches. The users whom it has
   * added are no longer its own, because another client may get its id.
   */
  async function endAllOf(id: string): Promise<void> {
    await endGrantsOf(id);
    await consents.forgetClient(id);
    await disownUsers(id);
  }

  async function requireClient(id: string): Promise<Client> {
    const client = await clients.find(id);
    if (client === undefined) throw noSuchClient();
    return client;
  }

  return {
    requireClient,

    /**
     * Tells whether a part of the client's grant is void, its rights or the trust in a workload: its administrator could not give it today.
     */
    async hasVoidGrant({ machine, trusts }: Pick<Client, 'machine' | 'trusts'>): Promise<boolean> {
      const grants = machine === undefined ? trusts : [machine, ...trusts];
      return (await Promise.all(grants.map(isGranted))).includes(false);
    },

    listClients: clients.list,

    listResources: resources.list,

    /** Adds a client, and returns it with its secret, which cannot be read again. */
    async addClient(client: NewClient) {
      const normalized = granted({ ...client, name: client.name.trim() });
      await requireGood(normalized, await rulesNow());
      judge(normalized);
      if (client.id !== undefined) {
        await requireFreeId(client.id);
        // A removal that was interrupted leaves grants of a former client, which must not come back with its id.
        await endAllOf(client.id);
      }
      return clients.add(normalized, recordClient('client-added', describeGrants(defaultSettings, normalized)));
    },

    async changeClient(id: string, changes: ClientChanges): Promise<Client> {
      const client = await requireClient(id);
      // Without the other settings, as this call has read them: another change may have come since.
      const settings = granted({ ...changes, ...(changes.name !== undefined && { name: changes.name.trim() }) });
      requireWholeGrant(client.machine, settings.machine);
      const whole = { ...withChanges(client, settings), isPublic: client.secrets === undefined };
      const rules = await rulesNow();
      await requireGood(whole, rules, client);
      const detail = describeGrants(client, whole);
      const record = recordClient('client-changed', detail);
      const changed = await clients.change(id, settings, judge, async (db, made) => {
        // Again: with another change at the same time, the settings of both may be ones that do not go together.
        refuse(findClientFaults({ ...made, isPublic: made.secrets === undefined }, rules, client));
        await record(db, made);
      });
      if (changed === undefined) throw noSuchClient();
      // Tokens are worth nothing without the grant. Another grant must not bring them back.
      const isNoMore = changed.machine === undefined && (isProgram(client) || isProgram(changed));
      const isLess = isNoMore || client.trusts.some((trust) => !has(changed.trusts, trust));
      if (isLess) await endGrantsOf(id);
      return changed;
    },

    /** Judges a table of claims that is not stored yet. */
    async judgeClaims({ claims: before }: Pick<Client, 'claims'>, claims: readonly ClientClaim[]): Promise<void> {
      refuse(findTableFaults(claims, await groupNames(), before));
    },

    /** Replaces all secrets by a new one, which cannot be read again. The old ones stop working at once. */
    async rotateSecret(id: string): Promise<string> {
      const { text, secret } = createClientSecret({ name: firstSecret }, now());
      await changeSecrets(id, 'client-secret-rotated', secret.name, () => [secret]);
      return text;
    },

    /** Adds a secret, which cannot be read again. The others go on working. */
    async addSecret(id: string, { name, days }: NewSecret): Promise<string> {
      const added = { name: name.trim(), days };
      refuse(findSecretFaults(added));
      const { text, secret } = createClientSecret(added, now());
      await changeSecrets(id, 'client-secret-added', secret.name, (present) => withSecret(present, secret));
      return text;
    },

    /** Replaces the secret of this name by a given one, or adds it. The others go on working. */
    giveSecret: (id: string, given: ClientSecret): Promise<void> =>
      changeSecrets(id, 'client-secret-given', given.name, (present) =>
        withSecret(
          present.filter(({ name }) => name !== given.name),
          given,
        ),
      ),

    /** Removes a secret. Requests with it are refused at once. Tokens that it has got already stay. */
    removeSecret: (id: string, name: string): Promise<void> =>
      changeSecrets(id, 'client-secret-removed', name, (present) => withoutSecret(present, name)),

    /** Removes a client, and ends its codes, tokens, grants and consents. */
    async removeClient(id: string): Promise<void> {
      await removeClientAlone(id);
      await endAllOf(id);
    },

    removeClientAlone,

    endAllOf,

    /** Adds a resource. The default algorithm of signed tokens is RS256. */
    async addResource({ alg = 'RS256', exchanges = {}, ...described }: AddedResource): Promise<Resource> {
      const resource = { ...described, alg, exchanges, scopes: [...new Set(described.scopes)] };
      refuse(findResourceFaults(resource));
      await requireScopesAt('exchange_for', exchanges);
      if (!(await resources.add(resource, recordIn('resource-added', resource.uri))))
        refuse([{ field: 'uri', code: 'resource-exists' }]);
      return { ...resource, clientId: undefined };
    },

    /** Changes a resource. Tokens that were issued for it stay as they are until they expire. @param uri spelled as it was added */
    async changeResource(uri: string, changes: Partial<ResourceSettings>): Promise<void> {
      const present = await resources.find(uri);
      if (present === undefined) throw noSuchResource();
      const changed = { ...present, ...changes };
      refuse(findResourceFaults(changed));
      await requireScopesAt('exchange_for', changes.exchanges ?? {});
      if (changed.tokenFormat === 'jwt' && changed.clientId !== undefined)
        throw new ChangeRefused('The resource asks about its tokens with a secret, so they cannot be signed ones.');
      if (!(await resources.change(uri, changed, recordIn('resource-changed', uri)))) throw noSuchResource();
    },

    /**
     * Returns the id and the new secret with which a resource asks about its tokens. The secret cannot be read again, and the old one stops
     * working at once.
     */
    async setResourceSecret(uri: string) {
      const resource = await resources.find(uri);
      if (resource?.tokenFormat === 'jwt')
        throw new ChangeRefused('Its tokens are signed: it checks them by itself, and has nothing to ask.');
      const given =
        resource && (await resources.setSecret(resource.uri, recordIn('resource-secret-rotated', resource.uri)));
      if (given === undefined) throw noSuchResource();
      return given;
    },

    /** Removes a resource. Tokens that were issued for it stay valid until they expire. */
    async removeResource(uri: string): Promise<void> {
      if (!(await resources.remove(uri, recordIn('resource-removed', uri)))) throw noSuchResource();
    },
  };
}

/** Tells whether there is the same trust, whoever granted it. */
const has = (trusts: readonly Trust[], { grantedBy: _, ...wanted }: Trust): boolean =>
  trusts.some(({ grantedBy: _, ...trust }) => isDeepStrictEqual(trust, wanted));

type Grants = Pick<ClientSettings, 'trusts' | 'claims' | 'jwks' | 'jwksUri'>;

/** Names the trusts, claims and keys that have changed, for the audit. Undefined if none has. */
function describeGrants(before: Grants, after: Grants): string | undefined {
  const claims = isDeepStrictEqual(before.claims, after.claims)
    ? undefined
    : `claims: ${after.claims.map(textOfRow).join(' ') || 'none'}`;
  const hasSameKeys = before.jwksUri === after.jwksUri && isDeepStrictEqual(before.jwks, after.jwks);
  const keys = hasSameKeys ? undefined : nameKeys(after);
  return [describeTrusts(before.trusts, after.trusts), claims, keys].filter(Boolean).join('; ') || undefined;
}

/** Names the trusts after a change, for the audit. Undefined if none has changed. */
const describeTrusts = (before: readonly Trust[], after: readonly Trust[]): string | undefined =>
  before.length === after.length && before.every((trust) => has(after, trust))
    ? undefined
    : `trusts: ${after.map(nameTrust).join(' ') || 'none'}`;

/**
 * Requires that a change names each part of a grant that another administrator, or a command, has given. The administrator who makes the
 * change would otherwise grant the other parts too. @throws {InvalidFields}
 */
function requireWholeGrant(present: Machine | undefined, changed: Partial<Machine> | undefined): void {
  if (present === undefined || changed === undefined || present.grantedBy === changed.grantedBy) return;
  const fields = { scopes: 'machine_scopes', within: 'within', may: 'may' } as const;
  const unnamed = (['scopes', 'within', 'may'] as const).filter(
    (part) => changed[part] === undefined && Object.keys(present[part]).length > 0,
  );
  refuse(unnamed.map((part) => ({ field: fields[part], code: 'missing' })));
}

/** @throws {InvalidFields} */
function refuse(faults: readonly FieldFault[]): void {
  if (faults.length > 0) throw new InvalidFields(...faults);
}

const noSuchResource = () => new ChangeRefused('There is no resource with that address.');

const noSuchClient = () => new ChangeRefused('There is no client with that id. All ids: ./bin/janua clients list');
