import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readPicture } from '../../../../src/capabilities/oidc/pictures/read-picture.ts';
import { pictureAddress } from '../../../../src/capabilities/oidc/pictures/stored-pictures.ts';
import { admins } from '../../../../src/core/users/scopes.ts';
import { withHeaders } from '../../../client.ts';
import { startJanua } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import type { StoreChoice } from '../../../stores.ts';
import { signInAs, signInWith } from '../../admin/administrator.ts';
import { openProvider, type ProviderUnderTest, wiki } from '../application.ts';
import { startDocumentServer } from '../document-server.ts';
import { lossy, square, webpOf } from './files.ts';

const addressOf = (file: Buffer) => pictureAddress(readPicture(file).hash) ?? assert.fail();
const base64 = (file: Buffer) => ({ picture: file.toString('base64') });

/** A form with a file, as a browser sends it. */
async function formOf(file: Buffer | '') {
  const sent = new FormData();
  sent.append('picture', new File(file === '' ? [] : [new Uint8Array(file)], 'logo.svg', { type: 'image/svg+xml' }));
  const request = new Request('http://localhost', { method: 'POST', body: sent });
  return {
    payload: Buffer.from(await request.arrayBuffer()),
    headers: { 'content-type': request.headers.get('content-type') ?? '' },
  };
}

const everyStore: readonly StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
];

for (const stores of everyStore)
  describe(`a picture of a client, in ${stores.users}`, { skip: missing(stores.users) }, () => {
    let server: ProviderUnderTest;
    let administrator: ReturnType<typeof withHeaders>;
    before(async () => {
      server = await openProvider({ stores });
      administrator = withHeaders(server.janua, await signInAs(server.janua, [admins]));
    });
    after(() => server[Symbol.asyncDispose]());

    const rows = () =>
      server.janua.services.database.selectFrom('janua_pictures').select(['client_id', 'hash']).execute();
    const pictureOf = async (id: string) => (await administrator.get(`/api/admin/clients/${id}`)).json().picture;
    const choose = (id: string, fields: object) => administrator.post(`/api/admin/clients/${id}/picture`, fields);
    const addClient = async (settings: object = {}) =>
      (await server.janua.services.clientAdministration.addClient({ ...wiki, ...settings })).client.id;

    test('is chosen, replaced and removed, and has one row and one event for each change', async () => {
      const id = await addClient();
      const [one, other] = [square(512, 1), webpOf([lossy])];
      assert.equal(await pictureOf(id), null);
      for (const [sent, address] of [
        [base64(one), addressOf(one)],
        [base64(one), addressOf(one)],
        [base64(other), addressOf(other)],
        [{ picture: '' }, null],
      ] as const) {
        assert.deepEqual((await choose(id, sent)).statusCode, 200);
        assert.equal(await pictureOf(id), address);
        const stored = (await rows()).filter(({ client_id }) => client_id === id);
        assert.deepEqual(
          stored.map(({ hash }) => pictureAddress(hash)),
          [address].filter((each) => each !== null),
        );
      }
      const events = (await server.janua.events({ kind: 'client-changed' })).filter(({ about }) => about === id);
      assert.equal(events.length, 3, 'the same picture again is no change');
    });

    test('is sent from its own address, with the type of its bytes, and for ever', async () => {
      const id = await addClient();
      // Larger than the texts of most databases.
      const noise = readPicture(largest());
      for (const [file, type] of [
        [noise.bytes, 'image/png'],
        [webpOf([lossy]), 'image/webp'],
      ] as const) {
        assert.equal((await choose(id, base64(file))).statusCode, 200);
        const answer = await server.janua.get(addressOf(file));
        assert.equal(answer.statusCode, 200);
        assert.deepEqual(answer.rawPayload, file);
        const { headers } = answer;
        assert.deepEqual(
          [headers['content-type'], headers['x-content-type-options'], headers['cache-control']],
          [type, 'nosniff', 'public, max-age=31536000, immutable'],
        );
        assert.match(String(headers['content-security-policy']), /^default-src 'none'/);
        assert.equal(headers['set-cookie'], undefined);
      }
      assert.equal((await server.janua.get(addressOf(noise.bytes))).statusCode, 404, 'it was replaced');
      for (const path of ['', 'x', 'x'.repeat(43), '%00'.repeat(43), `${'x'.repeat(43)}.svg`])
        assert.equal((await server.janua.get(`/oidc/pictures/${path}`)).statusCode, 404, path);
    });

    test('goes with its client, and leaves the same picture of another client', async () => {
      const file = square(9, 7);
      const [id, other] = [await addClient(), await addClient()];
      for (const each of [id, other]) await choose(each, base64(file));
      await administrator.post(`/api/admin/clients/${id}/remove`, {});
      assert.deepEqual(
        (await rows()).map(({ client_id }) => client_id).filter((each) => [id, other].includes(each)),
        [other],
      );
      assert.equal((await server.janua.get(addressOf(file))).statusCode, 200);
      await administrator.post(`/api/admin/clients/${other}/remove`, {});
      assert.equal((await server.janua.get(addressOf(file))).statusCode, 404);
    });

    test('of two changes at once, one stays, with its row', async () => {
      const id = await addClient();
      const files = [square(8, 1), square(8, 2), square(8, 3)];
      await Promise.all(files.map((file) => choose(id, base64(file))));
      const stored = (await rows()).filter(({ client_id }) => client_id === id);
      assert.deepEqual(
        [await pictureOf(id)],
        stored.map(({ hash }) => pictureAddress(hash)),
      );
      assert.equal((await server.janua.get(await pictureOf(id))).statusCode, 200);
    });

    test('is shown wherever the client is named to users, and its letter without one', async () => {
      const app = await server.addApplication({ own: false, device: true, clientUri: 'https://app.example.com/' });
      const browser = await server.browser();
      const { address } = await app.begin();
      const path = `${address.pathname}${address.search}`;
      const pagesNow = async () => [
        await server.janua.get(`/auth/login?next=${encodeURIComponent(path)}`).then(({ body }) => body),
        (await browser.open(address)).text,
        (await browser.open('/auth/home')).text,
        (await administrator.get(`/admin/clients/${app.clientId}/picture`)).body,
      ];
      for (const text of await pagesNow()) assert.match(text, /<span class="letter" aria-hidden="true">W<\/span>/);
      const file = square(16, 200);
      await choose(app.clientId, base64(file));
      const image = `<img class="picture" src="${addressOf(file)}" alt="">`;
      const consented = await browser.open(address);
      for (const text of await pagesNow()) assert.ok(text.includes(image), text);
      await browser.submit(consented.url, { decision: 'allow' });
      const shown = (await browser.open('/account/applications')).text;
      assert.ok(shown.includes(image), shown);
      assert.ok((await administrator.get(`/admin/clients/${app.clientId}`)).body.includes(image));
      assert.equal((await server.janua.get('/auth/login')).body.includes(image), false);
    });
  });

/** A picture that no compression makes small, of nearly the most bytes that are allowed. */
function largest(): Buffer {
  const side = 500;
  let state = 1;
  return square(side, () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state >> 8) % 256;
  });
}

describe('the form of a picture', () => {
  test('takes a file, whatever its name and declared type, and shows why one is refused', async () => {
    await using janua = await startJanua();
    const { get, send, post } = withHeaders(janua, await signInAs(janua, [admins]));
    const { id } = (await janua.services.clientAdministration.addClient(wiki)).client;
    const url = `/admin/clients/${id}/picture`;
    const submit = async (file: Buffer | '') => send({ method: 'POST', url, ...(await formOf(file)) });
    const page = await get(url);
    assert.match(page.body, /<form method="post" action="[^"]*" enctype="multipart\/form-data">.*type="file"/s);
    assert.doesNotMatch(page.body, /Remove the picture/);
    const done = await submit(square(8));
    assert.deepEqual([done.statusCode, done.headers.location], [303, `/admin/clients/${id}?state=changed`]);
    assert.match((await get(url)).body, /Remove the picture/);
    for (const [file, message] of [
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /This file is not a PNG or WebP picture/],
      [square(513), /at most 512 × 512 pixels. This one has 513 × 513/],
      [Buffer.concat([square(8), Buffer.alloc(256 * 1024)]), /at most 256 KB/],
      ['', /id="picture-error">Required</],
    ] as const) {
      const refused = await submit(file);
      assert.equal(refused.statusCode, 422);
      assert.match(refused.body, message);
      assert.match(refused.body, /aria-invalid="true"/);
    }
    assert.equal((await submit(Buffer.alloc(512 * 1024))).statusCode, 413);
    assert.equal((await post(`/api${url}`, { picture: 'A'.repeat(512 * 1024) })).statusCode, 413);
    assert.equal((await post(`/api${url}`, {})).statusCode, 422);
    const find = async () => (await janua.services.clients.find(id))?.picture;
    assert.equal(await find(), readPicture(square(8)).hash, 'a refused file changes nothing');
    assert.equal((await post(url, { picture: '' })).statusCode, 303);
    assert.equal(await find(), undefined);
  });

  test('is for those who may change the client, and no body of others is read', async () => {
    await using janua = await startJanua();
    await janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
    const { clientAdministration, clients } = janua.services;
    const { id } = (await clientAdministration.addClient({ ...wiki, own: false, groups: ['staff'] })).client;
    const url = `/api/admin/clients/${id}/picture`;
    const file = square(8);
    const [clerk, reader, member] = [
      await signInWith(janua, 'clients:write'),
      await signInWith(janua, 'users:read'),
      (await janua.logIn()).cookie,
    ];
    for (const headers of [clerk, reader, member, {}]) {
      const { post, send } = withHeaders(janua, headers);
      const { statusCode } = await post(url, base64(file));
      assert.ok([401, 403, 404].includes(statusCode), String(statusCode));
      const broken = { method: 'POST', url, payload: '{', headers: { 'content-type': 'application/json' } } as const;
      assert.equal((await send(broken)).statusCode, statusCode);
    }
    assert.equal((await clients.find(id))?.picture, undefined);
  });
});

test('a client that describes itself has no picture, and neither does its host become one', async () => {
  await using documents = await startDocumentServer();
  await using server = await openProvider({
    settings: { CLIENT_ID_METADATA: [documents.host], OIDC_PRIVATE_HOSTS: ['localhost'] },
  });
  const { hash } = readPicture(square(8));
  const id = documents.publish('/client.json', {
    ...{ client_name: 'Wiki', picture: hash, logo_uri: 'https://evil.example/logo.png' },
    redirect_uris: ['https://app.example.com/callback'],
  });
  const query = new URLSearchParams({
    ...{ client_id: id, redirect_uri: 'https://app.example.com/callback', response_type: 'code', scope: 'openid' },
    ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', state: 'x'.repeat(22) },
  });
  const consent = await (await server.browser()).open(`/oidc/auth?${query}`);
  const login = await server.janua.get(`/auth/login?next=${encodeURIComponent(`/oidc/auth?${query}`)}`);
  for (const text of [consent.text, login.body]) {
    assert.ok(text.includes(documents.host));
    assert.doesNotMatch(text, /class="(picture|letter)"|logo\.png/);
  }
});

test('a change whose record cannot be stored leaves the picture as it was', async () => {
  await using janua = await startJanua();
  const { clientAdministration, clients, database } = janua.services;
  const { id } = (await clientAdministration.addClient(wiki)).client;
  await clientAdministration.changeClient(id, { picture: readPicture(square(8, 1)) });
  const failing = async () => {
    throw new Error('the audit cannot be written');
  };
  const change = clients.change(id, { picture: readPicture(square(8, 2)) }, undefined, failing);
  await assert.rejects(change, /cannot be written/);
  const { hash } = readPicture(square(8, 1));
  assert.equal((await clients.find(id))?.picture, hash);
  assert.deepEqual(await database.selectFrom('janua_pictures').select(['client_id', 'hash']).execute(), [
    { client_id: id, hash },
  ]);
});
