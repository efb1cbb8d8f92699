import type { AuditEvent, Events } from '../core/audit/event.ts';

export const events = {
  'cross-site-refused': {
    vocabulary: 'malicious_cors',
    by: 'anyone',
    level: 'warn',
    words: 'The request was refused, because another site sent it',
    advise: adviseOnOrigin,
  },
} as const satisfies Events;

function adviseOnOrigin({ caller: { trace } }: AuditEvent): string[] {
  const { origin, fetchSite, expectedOrigins = [] } = trace ?? {};
  const expected = origin !== undefined && expectedOrigins.includes(origin);
  const nothing = 'Nothing, if another site sent the request: the server must refuse it.';
  if (expected)
    return [
      nothing,
      `The origin is ours, but Sec-Fetch-Site was ${fetchSite ?? 'missing'}: a page of another site sent the request, or a proxy changed the header.`,
    ];
  return [
    nothing,
    `If users reach this server at ${origin ?? 'that address'}, set PUBLIC_URL to it.`,
    'If it is another application of yours, list its origin in CORS_ORIGINS.',
  ];
}
