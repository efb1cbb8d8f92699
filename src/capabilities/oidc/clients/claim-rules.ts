import { isDeepStrictEqual } from 'node:util';
import type { FieldFault } from '../../../core/access/refusal.ts';
import { personClaims, registeredClaims } from '../../../core/users/registered-claims.ts';
import { isClaimName, mayComeFrom, parseSource } from '../../../ground/text/claim-source.ts';
import { printable } from '../../../ground/text/printable.ts';
import type { ClientClaim } from '../claim-table.ts';

/** Most rows of a table, and most characters of it. */
export const mostRows = 32;
export const longestTable = 8192;

/**
 * Finds the faults of a table.
 * @param groups the names of all groups, if Janua keeps them
 * @param before the table before a change. Its rows may name a group that was removed since, so that other settings can still change
 */
export function findTableFaults(
  table: readonly ClientClaim[],
  groups: readonly string[] | undefined,
  before: readonly ClientClaim[] = [],
): FieldFault[] {
  const field = 'claims';
  if (table.length > mostRows) return [{ field, code: 'too-many', values: { count: mostRows } }];
  if (JSON.stringify(table).length > longestTable)
    return [{ field, code: 'too-long', values: { count: longestTable } }];
  const faults = table.flatMap((row, index) => {
    const isTwice = table.findIndex(({ claim }) => claim === row.claim) < index;
    const isNew = !before.some((known) => isDeepStrictEqual(known, row));
    return findRowFault(row, isTwice, isNew ? groups : undefined) ?? [];
  });
  return faults.slice(0, 1).map((fault) => ({ field, ...fault }));
}

function findRowFault(
  { claim, source: text, in: at }: ClientClaim,
  isTwice: boolean,
  groups: readonly string[] | undefined,
): Omit<FieldFault, 'field'> | undefined {
  const values = { claim: printable(claim.slice(0, 128)), source: printable(text.slice(0, 100)) };
  if (!isClaimName(claim)) return { code: 'not-a-claim-name', values };
  if (isTwice) return { code: 'claim-twice', values };
  if (registeredClaims.has(claim) && !personClaims.has(claim)) return { code: 'claim-of-protocol', values };
  const source = parseSource(text);
  if (source === undefined) return { code: 'not-a-claim-source', values };
  if (!mayComeFrom(claim, source)) return { code: 'claim-not-from', values };
  if (at.length === 0 || new Set(at).size < at.length)
    return { code: 'not-a-claim-row', values: { row: values.claim } };
  const named = source.kind === 'groups' ? [...(source.names?.keys() ?? [])] : [];
  const unknown = named.find((name) => groups?.includes(name) === false);
  return unknown === undefined ? undefined : { code: 'unknown-group', values: { name: unknown } };
}
