import type { FastifySchema } from 'fastify';
import { json, object } from './openapi/responses.ts';
import { problem } from './problem.ts';
import type { App } from './types.ts';

export type FindUnavailable = () => Promise<readonly string[]>;

const retryAfterSeconds = 5;

const okSchema = object('All is well', { status: { const: 'ok' } });
const ok = { status: 'ok' } as const;

const schema = (summary: string, healthy: string): FastifySchema => ({
  summary,
  tags: ['Operation'],
  response: { 200: json(healthy, okSchema) },
});

export function addHealthRoutes(app: App, findUnavailable: FindUnavailable): void {
  app.get(
    '/health/live',
    { config: { problems: [500] }, schema: schema('Liveness', 'The process answers') },
    async () => ok,
  );
  app.get('/health/ready', { schema: schema('Readiness', 'Every store answers') }, async (request, reply) => {
    const parts = await findUnavailable();
    if (parts.length === 0) return ok;
    const detail = `${parts.join(' and ')} ${parts.length === 1 ? 'is' : 'are'} unavailable`;
    // JSON in either format, because only programs request it. The fault is not logged here, because the store's watch has already logged
    // it.
    return reply
      .code(503)
      .header('retry-after', String(retryAfterSeconds))
      .type('application/json; charset=utf-8')
      .serializer(JSON.stringify)
      .send(problem(request.id, { status: 503, detail }));
  });
}
