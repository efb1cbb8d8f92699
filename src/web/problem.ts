/** Not imported: `import` reads every export, and the WebSocket export loads a client that takes 4 MB. */
const { STATUS_CODES } = process.getBuiltinModule('node:http');

export type Problem = ReturnType<typeof problem>;

/** Fixed sentences: the server never repeats what a client sent (ASVS 16.5.1). */
const sentences: Readonly<Record<number, string>> = {
  400: 'The request could not be understood',
  404: 'There is nothing at this address',
  405: 'This address does not take that method',
  413: 'The request is too large',
  414: 'The address is too long',
  415: 'This kind of body is not taken here',
  422: 'Some fields cannot be accepted',
  500: 'Something went wrong on our side. It has been recorded under this request id.',
  503: 'The service is busy or being mended. Please try again in a moment.',
};

interface ProblemDescription {
  readonly status: number;
  /** What happened; by default the sentence of the status. */
  readonly detail?: string | undefined;
  /** The code of RFC 6749, if one applies. */
  readonly error?: string | undefined;
}

/**
 * What went wrong, for a program. The error page shows the same (names as in RFC 9457 and RFC 6749 5.2).
 * @param requestId finds the log entry, and the decision with `janua explain`
 */
export function problem(requestId: string, { status, detail, error }: ProblemDescription) {
  const title = STATUS_CODES[status] ?? 'Error';
  const sentence = detail ?? sentences[status] ?? title;
  const oauth = error === undefined ? {} : { error, error_description: sentence };
  return { ...oauth, title, status, detail: sentence, request_id: requestId };
}
