import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addAction } from '../../src/web/action.ts';
import { json as jsonAnswer } from '../../src/web/openapi/responses.ts';
import { json } from './faces.ts';
import { startServer, type TestServer } from './server.ts';

/** A program in this process would set it. */
const mark = 'setByBody';

let server: TestServer;
before(async () => {
  const fields = {
    text: { description: '' },
    names: { list: true, description: '' },
    count: { number: true, description: '' },
    on: { boolean: true, description: '' },
    data: { json: true, description: '' },
  } as const;
  server = await startServer({
    addRoutes: (app) =>
      addAction(app, ['/sample', '/api/sample'], {
        ...{ method: 'POST', summary: 'Sample', tag: 'Operation', config: {}, fields, browser: '' },
        answer: jsonAnswer('The input', { type: 'object', additionalProperties: true }),
        handle: (_request, reply, input) => reply.send(input),
      }),
  });
});
after(() => server[Symbol.asyncDispose]());

const send = async (payload: string) => {
  const answer = await server.app.inject({ method: 'POST', url: '/api/sample', ...json({}), payload });
  return [answer.statusCode, answer.json()] as const;
};

test('a field of JSON has its own type, or is a text', async () => {
  const given = { names: ['a', 'b'], count: 7, on: true, data: { a: [1] } };
  const read = { names: 'a b', count: '7', on: 'true', data: '{"a":[1]}' };
  assert.deepEqual(await send(JSON.stringify(given)), [200, read]);
  assert.deepEqual(await send(JSON.stringify(read)), [200, read]);
});

test('a field of JSON has no other type', async () => {
  for (const sent of [
    ...[[7], ['a', 7], [['a']], [{}], [null], [true], {}, null, 7, true].map((names) => ({ names })),
    ...[0.5, 2 ** 53, true, [7], {}, null].map((count) => ({ count })),
    ...[1, 0, [true], {}, null].map((on) => ({ on })),
    ...[7, true].map((data) => ({ data })),
    ...[7, true, null, {}, ['a']].map((text) => ({ text })),
  ])
    assert.equal((await send(JSON.stringify(sent)))[0], 400, JSON.stringify(sent));
  for (const body of ['[]', '["a"]', '7', '"a"', 'true']) assert.equal((await send(body))[0], 400, body);
});

test('the name of a field of JSON sets a property of no other object', async () => {
  for (const name of [
    `__proto__.${mark}`,
    `__proto__[${mark}]`,
    `constructor.prototype.${mark}`,
    `constructor[prototype][${mark}]`,
    'prototype',
    'toString',
    'names.__proto__',
  ]) {
    assert.deepEqual(await send(JSON.stringify({ [name]: 'on', text: 'a' })), [200, { text: 'a' }], name);
    assert.equal(Reflect.get({}, mark), undefined, name);
  }
});
