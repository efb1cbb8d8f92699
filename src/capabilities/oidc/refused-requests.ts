import type { AuditOf } from '../../core/audit/audit.ts';
import type { Log } from '../../ground/faults/log.ts';
import { isRandomId } from './clients/clients.ts';
import { aboutClient, isDocumentClient } from './clients/library-client.ts';
import type { events, RefusalReason } from './events.ts';
import { machineGrant } from './machines/machine.ts';
import type { RefusedRequest } from './provider/options.ts';

const reasonsOfErrors: Readonly<Record<string, RefusalReason>> = {
  invalid_redirect_uri: 'redirect-address',
  invalid_client: 'client-secret',
  invalid_target: 'unknown-resource',
  invalid_grant: 'grant',
  invalid_scope: 'scope',
  invalid_token: 'access-token',
  access_denied: 'denied',
};

/** Maps an error of oidc-provider to a reason for `janua explain`. */
function reasonOf({ error, detail, clientId = '', reason, parameters }: RefusedRequest): RefusalReason {
  if (reason !== undefined) return reason;
  if (/grant.type(?::device_code)? is not allowed for this client/.test(detail))
    return parameters.grant_type === machineGrant ? 'not-a-program' : 'grant-type';
  if (isDocumentClient(clientId)) {
    if (/not allowed|client not found|client is invalid/.test(detail)) return 'document-host';
    if (detail.includes('document fetch failed')) return 'document-fetch';
    if (error === 'invalid_client_metadata' || detail.startsWith('redirect_uris')) return 'document';
  }
  if (detail.includes('client not found') || detail.includes('client is invalid')) return 'unknown-client';
  if (error === 'invalid_dpop_proof' || /\bDPoP\b|\bjkt\b/.test(detail)) return 'proof-of-key';
  if (detail.includes('Pushed Authorization Request must be used')) return 'not-pushed';
  if (error === 'invalid_request_uri') return 'pushed-over';
  if (/more than \d+ characters/.test(detail)) return 'too-long';
  if (/pkce|code_challenge|code_verifier/i.test(detail)) return 'pkce';
  if (/no scope was granted/.test(detail)) return 'scope';
  if (/session not found|request has expired|session mismatch|identifier mismatch/.test(detail)) return 'sign-in-over';
  return reasonsOfErrors[error] ?? 'request';
}

/** Parameters whose values may be recorded. None holds a secret or a credential. */
const shownParameters = [
  'redirect_uri',
  'response_type',
  'response_mode',
  'grant_type',
  'scope',
  'resource',
  'prompt',
  'display',
  'max_age',
  'acr_values',
  'code_challenge_method',
  'token_type_hint',
  'request_uri',
  'post_logout_redirect_uri',
];

/** Parameters of which only the name and the length are recorded. */
const namedParameters = [
  'code',
  'code_challenge',
  'code_verifier',
  'refresh_token',
  'device_code',
  'token',
  'nonce',
  'state',
  'claims',
  'client_id',
  'client_secret',
  'client_assertion',
  'id_token_hint',
  'request',
  'user_code',
];

const parametersOfErrors: Readonly<Record<string, string>> = {
  invalid_target: 'resource',
  invalid_scope: 'scope',
  unsupported_grant_type: 'grant_type',
  unsupported_response_type: 'response_type',
  unsupported_response_mode: 'response_mode',
};

/** Most characters of a value that are recorded, and most characters of it that are searched for secrets before. */
const longest = 255;
const longestRead = 4096;

const isWord = (name: string, text: string): boolean => text.split(/\W+/).includes(name);

/** Describes the parameters that oidc-provider's error text names. */
function describeSent({ error, detail, parameters }: RefusedRequest): string[] {
  // Some names, such as `code`, are also plain words. An error text that means the parameter puts its name in quotes.
  const isNamed = (name: string) =>
    detail.includes(`'${name}'`) || detail.includes(`"${name}"`) || (name.includes('_') && isWord(name, detail));
  const isShown = (name: string) => name === parametersOfErrors[error] || isWord(name, detail);
  return [...shownParameters.filter(isShown), ...namedParameters.filter(isNamed)].map((name) => {
    const sent = [parameters[name] ?? []].flat().join(' ');
    if (sent === '') return `${name}: not sent`;
    if (!shownParameters.includes(name)) return `${name}: ${sent.length} characters, not kept`;
    return `${name}: ${withoutSecrets(sent.slice(0, longestRead)).slice(0, longest)}`;
  });
}

/**
 * Finds credentials in the query of an address by the names of their parameters. Some applications send a whole address with a code in its
 * query as a parameter, sometimes percent-encoded twice.
 */
const secretInQuery =
  /((?:^|[?&#;]|%(?:25)*(?:3f|26|23|3b))(?:[\w.-]*(?:code|token|secret|password|assertion|verifier|hint|session|state|key|jwt|ticket))(?:=|%(?:25)*3d))[^&#;\s]+/gi;

/** Finds signed tokens, tokens of Janua, ids of pushed requests, and user names and passwords before the host of an address. */
const secrets = /(?<![\w-])(?:eyJ[\w-]+\.[\w.-]+|janua_[\w.-]+)|(?<=:request_uri:)[\w-]+|(?<=\/\/)[^/@\s]+(?=@)/g;

/** Redacts codes, tokens, and query parameters that are named like one. */
export const withoutSecrets = (text: string): string => text.replaceAll(secretInQuery, '$1…').replaceAll(secrets, '…');

/**
 * Creates the function that logs a refusal, and records it for `janua explain`. A client id is left out unless a client has it, or it has
 * the form of a random id or of the address of a metadata document. Another text could be anything, even a password.
 */
export function createNoteRefusal(audit: AuditOf<typeof events>, log: Log) {
  return (refused: RefusedRequest): Promise<void> => {
    const { request, clientId = '', clientName, error } = refused;
    const isKept = clientName !== undefined || isRandomId(clientId) || isDocumentClient(clientId);
    const detail = withoutSecrets(refused.detail);
    const details = { event: 'application_refused', clientId: isKept ? clientId : undefined, error, detail };
    log.debug({ ...details, requestId: request?.caller.requestId }, 'a request of an application was refused');
    if (request === undefined) return Promise.resolve();
    return audit.recordIfPossible({
      kind: 'application-refused',
      reason: reasonOf(refused),
      ...(isKept && aboutClient({ clientId, clientName })),
      detail,
      sent: describeSent(refused),
      caller: request.caller,
      userId: request.signedIn?.user.id,
    });
  };
}
