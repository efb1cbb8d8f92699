import { json, object, problems } from '../openapi/responses.ts';
import type { App } from '../types.ts';

/** Throws `Unavailable` while a part that answers depend on cannot be reached. */
export type ReadinessCheck = () => Promise<void>;

const okSchema = object('All is well', { status: { const: 'ok' } });
const ok = { status: 'ok' } as const;

export function addHealthRoutes(app: App, checkReadiness: ReadinessCheck): void {
  app.get(
    '/health/live',
    {
      schema: {
        summary: 'Is the process alive',
        tags: ['Operation'],
        response: { 200: json('The process answers', okSchema, ok), ...problems([], [500]) },
      },
    },
    async () => ok,
  );
  app.get(
    '/health/ready',
    {
      schema: {
        summary: 'Can people sign in',
        tags: ['Operation'],
        response: { 200: json('Every store answers', okSchema, ok), ...problems([], [500, 503]) },
      },
    },
    async () => {
      await checkReadiness();
      return ok;
    },
  );
}
