// The reference for requests: the smallest Fastify route that answers with the same JSON.
import Fastify from 'fastify';

const app = Fastify();
const text = { type: 'string' };
const body = { type: 'object', properties: { username: text, first_name: text, last_name: text } };
app.get('/', { schema: { response: { 200: body } } }, async () => ({
  username: 'user0@example.com',
  first_name: 'Ann',
  last_name: 'Archer',
}));
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
