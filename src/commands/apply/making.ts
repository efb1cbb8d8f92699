import type { Services } from '../../compose.ts';
import type { ObjectChange } from './changes.ts';

/** The changes that a file has caused, and what only the operator may see. */
export interface Applied {
  readonly changes: ObjectChange[];
  /** Objects that are not in the file any more, and stay, with the reason. */
  readonly kept: string[];
  /** Users of the file who are not as the file says, with the reason. */
  readonly leftOut: string[];
  /** New secrets of clients. They cannot be read again. */
  readonly secrets: { readonly clientId: string; readonly secret: string }[];
  /** The ids of new clients that have no secret yet. */
  readonly withoutSecret: string[];
  /** Links by which new administrators choose a password. */
  readonly links: { readonly username: string; readonly link: string }[];
  /** The ids of the clients that were removed, whose grants and consents are still there. */
  readonly removedClients: string[];
}

export interface ApplyOptions {
  /** Whether to remove objects that the file has no longer. */
  readonly prunes: boolean;
  /** Whether new secrets can be shown. Otherwise a new client without a file gets none. */
  readonly showsSecrets: boolean;
  /** True if a user whose handle or `sub` another account has is left out. Otherwise, the whole file is refused. */
  readonly leavesOut: boolean;
  /** Whether an earlier version of the file, which another one has replaced, changes nothing. */
  readonly skipsFormer: boolean;
}

export interface Making {
  readonly services: Services;
  readonly applied: Applied;
  readonly appliedBy: string;
  readonly options: ApplyOptions;
}

/** Notes a change, unless the object is as it was. */
export function note(
  { changes }: Applied,
  kind: ObjectChange['kind'],
  name: string,
  fields: ObjectChange['fields'],
  isNew: boolean,
): void {
  if (isNew || fields.length > 0) changes.push({ act: isNew ? 'add' : 'change', kind, name, fields });
}
