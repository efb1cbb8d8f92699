import { InvalidFields } from '../../core/access/refusal.ts';
import { ClaimFault, type Claims, claimLimits, parseClaims } from '../../core/users/claim-rules.ts';
import type { Fields } from '../../web/action.ts';
import type { Schema } from '../../web/openapi/responses.ts';

export const claimsFields = {
  claims: {
    json: true,
    maxLength: 2 * claimLimits.bytes,
    description: 'All claims, as an object. Null stands for none. As a text: `NAME=VALUE`, one a line',
    examples: ['{"department":"research"}'],
  },
} as const satisfies Fields;

export const claimsSchema: Schema = {
  type: 'object',
  additionalProperties: true,
  description: 'The custom claims, by their names',
  examples: [{ department: 'research' }],
};

/** @throws {InvalidFields} */
export function readClaims({ claims = '' }: { readonly claims?: string | undefined }): Claims {
  try {
    return parseClaims(claims);
  } catch (error) {
    return refuseClaims(error);
  }
}

/** Converts a fault to one of the field. @throws {InvalidFields} */
export function refuseClaims(error: unknown): never {
  if (!(error instanceof ClaimFault)) throw error;
  throw new InvalidFields({
    field: 'claims',
    code: error.fault,
    values: { claim: error.claim, count: claimLimits.most },
  });
}
