import { textsIn } from '../ground/languages/speech.ts';

/** Not imported: `import` would read every export of `node:http`, and reading `WebSocket` loads a client that takes 4 MB. */
const { STATUS_CODES } = process.getBuiltinModule('node:http');

export type Problem = ReturnType<typeof problem>;

/** Fixed sentences: the server never repeats what a client sent (ASVS 16.5.1). */
const sentences: Readonly<Record<number, string>> = textsIn('en').words.problem.sentences;

interface ProblemDescription {
  readonly status: number;
  /** Default: the sentence of the status. */
  readonly detail?: string | undefined;
  readonly error?: string | undefined;
}

/**
 * Describes a problem with the names of RFC 9457 and RFC 6749 5.2.
 * @param requestId finds the log entry, and the decision (`janua explain`)
 */
export function problem(requestId: string, { status, detail, error }: ProblemDescription) {
  const title = STATUS_CODES[status] ?? 'Error';
  const sentence = detail ?? sentences[status] ?? title;
  const oauth = error === undefined ? {} : { error, error_description: sentence };
  return { ...oauth, title, status, detail: sentence, request_id: requestId };
}

/** Endpoints with OAuth errors: RFC 6749 5.2 says `application/json`. */
export const oauthEndpoint = /^\/(?:auth\/token|api\/login|oidc\/.*)$/;
