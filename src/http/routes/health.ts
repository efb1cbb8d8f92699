import { json, object } from '../openapi/responses.ts';
import type { App } from '../types.ts';

/** Throws `Unavailable` while a part that answers depend on cannot be reached. */
export type ReadinessCheck = () => Promise<void>;

const okSchema = object('All is well', { status: { const: 'ok' } });
const ok = { status: 'ok' } as const;

export function addHealthRoutes(app: App, checkReadiness: ReadinessCheck): void {
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
    async () => {
      await checkReadiness();
      return ok;
    },
  );
}
