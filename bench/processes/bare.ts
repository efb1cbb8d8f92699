// The reference for requests: the smallest Fastify route that answers with the same JSON.
import Fastify from 'fastify';
import { offer } from './child.ts';
import { usage, usageAtRest } from './server-tasks.ts';

const app = Fastify();
const text = { type: 'string' };
const body = { type: 'object', properties: { username: text, first_name: text, last_name: text } };
app.get('/', { schema: { response: { 200: body } } }, async () => ({
  username: 'user0@example.com',
  first_name: 'Ann',
  last_name: 'Archer',
}));

const listening = app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 0) });

offer({
  async port() {
    return Number(new URL(await listening).port);
  },
  usage,
  usageAtRest,
});
