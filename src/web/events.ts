import type { Advice, AuditEvent, Events } from '../core/audit/event.ts';

export const events = {
  'cross-site-refused': {
    vocabulary: 'malicious_cors',
    by: 'anyone',
    level: 'warn',
    words: 'The request was refused, because another site sent it',
    advise: adviseOnOrigin,
  },
} as const satisfies Events;

function adviseOnOrigin({ caller: { trace } }: AuditEvent): Advice[] {
  const { origin, fetchSite, expectedOrigins = [] } = trace ?? {};
  const expected = origin !== undefined && expectedOrigins.includes(origin);
  const nothing: Advice = 'Nothing, if another site sent the request: the server must refuse it.';
  if (expected)
    return [
      nothing,
      fetchSite === undefined
        ? 'The origin is ours, but Sec-Fetch-Site was missing: a page of another site sent the request, or a proxy changed the header.'
        : [
            'The origin is ours, but Sec-Fetch-Site was {site}: a page of another site sent the request, or a proxy changed the header.',
            { site: fetchSite },
          ],
    ];
  return [
    nothing,
    origin === undefined
      ? 'If users reach this server at that address, set PUBLIC_URL to it.'
      : ['If users reach this server at {origin}, set PUBLIC_URL to it.', { origin }],
    'If it is another application of yours, list its origin in CORS_ORIGINS.',
  ];
}
