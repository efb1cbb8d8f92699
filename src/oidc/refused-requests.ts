import type { Audit } from '../audit/audit.ts';
import { isClientId } from './clients.ts';
import type { events, RefusalReason } from './events.ts';
import { isDocument, type MissingChallenge, notYours } from './provider-client.ts';
import type { RefusedRequest } from './provider-options.ts';

const reasonsOfErrors: Readonly<Record<string, RefusalReason>> = {
  invalid_redirect_uri: 'redirect-address',
  invalid_client: 'client-secret',
  invalid_target: 'unknown-resource',
  invalid_grant: 'grant',
  access_denied: 'denied',
};

/** Why the library refused a request, in our words. */
function reasonOf({ error, detail, clientId = '' }: RefusedRequest): RefusalReason {
  if (isDocument(clientId)) {
    if (/not allowed|client not found|client is invalid/.test(detail)) return 'document-host';
    if (detail.includes('document fetch failed')) return 'document-fetch';
    if (error === 'invalid_client_metadata' || detail.startsWith('redirect_uris')) return 'document';
  }
  if (detail.includes('client not found') || detail.includes('client is invalid')) return 'unknown-client';
  if (detail === notYours) return notYours;
  if (/more than \d+ characters/.test(detail)) return 'too-long';
  const missing = /no-challenge[a-z-]*$/.exec(detail)?.[0];
  if (missing !== undefined) return missing as MissingChallenge;
  if (/pkce|code_challenge|code_verifier/i.test(detail)) return 'pkce';
  return reasonsOfErrors[error] ?? 'request';
}

/** Records it for `janua explain`. An id that is neither ours nor the address of a document could be anything, even a password. */
export function createRecordRefusal(audit: Audit<keyof typeof events>) {
  return (refused: RefusedRequest): Promise<void> => {
    const { request, clientId = '' } = refused;
    if (request === undefined) return Promise.resolve();
    const isKept = isClientId(clientId) || isDocument(clientId);
    const { caller, signedIn } = request;
    const about = isKept ? clientId : undefined;
    const reason = reasonOf(refused);
    return audit.recordIfPossible({ kind: 'application-refused', reason, about, caller, userId: signedIn?.user.id });
  };
}
