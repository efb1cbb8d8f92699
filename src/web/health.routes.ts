import type { FastifyReply } from 'fastify';
import { json, object } from './openapi/responses.ts';
import { problem } from './problem.ts';
import type { App } from './types.ts';

/** The names of the parts that answers depend on and that are unavailable now. */
export type FindUnavailable = () => Promise<readonly string[]>;

/** Seconds after which asking again makes sense. */
const retryAfter = 5;

const okSchema = object('All is well', { status: { const: 'ok' } });
const ok = { status: 'ok' } as const;

export function addHealthRoutes(app: App, findUnavailable: FindUnavailable): void {
  app.get(
    '/health/live',
    {
      config: { problems: [500] },
      schema: {
        summary: 'Is the process alive',
        tags: ['Operation'],
        response: { 200: json('The process answers', okSchema, ok) },
      },
    },
    async () => ok,
  );
  app.get(
    '/health/ready',
    {
      config: { problems: [500, 503] },
      schema: {
        summary: 'Can people sign in',
        tags: ['Operation'],
        response: { 200: json('Every store answers', okSchema, ok) },
      },
    },
    async (request, reply) => {
      const parts = await findUnavailable();
      if (parts.length === 0) return ok;
      const detail = `${parts.join(' and ')} ${parts.length === 1 ? 'is' : 'are'} unavailable`;
      // For a program in either format, and no news for the log: the store's watch has told it.
      const unready: FastifyReply = reply as never;
      return unready
        .code(503)
        .header('retry-after', String(retryAfter))
        .type('application/json; charset=utf-8')
        .serializer(JSON.stringify)
        .send(problem(request.id, 503, detail));
    },
  );
}
