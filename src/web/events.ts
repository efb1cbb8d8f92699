import type { AuditEvent, Events } from '../audit/event.ts';

export const events = {
  'cross-site-refused': {
    vocabulary: 'malicious_cors',
    by: 'anyone',
    level: 'warn',
    words: 'The request was refused, since it came from another site',
    advise: adviseOnOrigin,
  },
} as const satisfies Events;

function adviseOnOrigin({ caller: { trace } }: AuditEvent): string[] {
  const { origin, fetchSite, expectedOrigins = [] } = trace ?? {};
  const expected = origin !== undefined && expectedOrigins.includes(origin);
  return [
    'Nothing, where another site sent it: that is what is to be refused.',
    ...(expected
      ? [
          `The origin is ours, and the browser says ${fetchSite ?? 'nothing'}: a page of another site led to it, or something between changed the header.`,
        ]
      : [
          `If people reach this server at ${origin ?? 'that address'}, set PUBLIC_URL to it.`,
          'If it is another application of yours, list its origin in CORS_ORIGINS.',
        ]),
  ];
}
