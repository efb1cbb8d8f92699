import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../janua.ts';
import { form, json } from '../../web/faces.ts';
import { signInAs, signInWith } from './administrator.ts';

const url = '/api/admin/users/invite-links';
const page = '/admin/users/invite-links';
const fields = { label: 'Course', uses: 30, expires_in_days: 14 };

async function open(...scopes: string[]) {
  const janua = await startJanua();
  await janua.services.groups.add({ name: 'staff', description: '', scopes: ['settings:read'] });
  const headers = await (scopes.length === 0 ? signInAs(janua, ['admins']) : signInWith(janua, ...scopes));
  const post = (path: string, sent: ReturnType<typeof form>) =>
    janua.send({ method: 'POST', url: path, ...sent }, headers);
  return {
    ...janua,
    ...{ headers, post },
    make: (more: object = {}) => post(url, json({ ...fields, ...more })),
    list: async () => (await janua.get(url, headers)).json().links,
  };
}

test('a link is shown once, listed without its secret, and revoked, with an event each', async () => {
  await using janua = await open();
  const { make, list, post } = janua;
  const made = await make({ groups: 'staff', domain: 'Example.ORG' });
  assert.equal(made.statusCode, 201);
  const { id, link } = made.json();
  const token = new URL(link).searchParams.get('token') ?? '';
  assert.equal(token.length, 43);
  const [{ created_at: _, expires_at: __, ...listed }] = await list();
  const [maker, domain] = ['admins@example.com', 'example.org'];
  assert.deepEqual(listed, { id, label: 'Course', groups: ['staff'], domain, uses: 30, used: 0, maker });
  const { body } = await janua.get(page, janua.headers);
  assert.match(body, /Course/);
  assert.ok(!body.includes(token));
  assert.equal((await janua.get(`/auth/join?token=${token}`)).statusCode, 200);
  assert.equal((await post(`${url}/revoke`, json({ id }))).statusCode, 200);
  assert.equal((await janua.get(`/auth/join?token=${token}`)).statusCode, 410);
  assert.equal((await post(`${url}/revoke`, json({ id }))).statusCode, 404);
  for (const [kind, about] of [
    ['invite-link-made', `${id} staff`],
    ['invite-link-revoked', id],
  ] as const) {
    const [event] = await janua.events({ kind });
    assert.deepEqual([event?.about, event?.actorId !== undefined], [about, true], kind);
  }
});

test('the page shows a new link once, and offers no group that it may not give', async () => {
  await using janua = await open();
  const shown = await janua.get(page, janua.headers);
  assert.match(shown.body, /name="groups" value="staff"/);
  assert.doesNotMatch(shown.body, /name="groups" value="admins"/);
  const { statusCode, body } = await janua.post(page, form({ ...fields, uses: '30', expires_in_days: '14' }));
  assert.equal(statusCode, 201);
  assert.match(body, /auth\/join\?token=[\w-]{43}/);
  const wrong = await janua.post(page, form({ ...fields, uses: '0', expires_in_days: '14' }));
  assert.equal(wrong.statusCode, 422);
  assert.match(wrong.body, /From 1 to/);
});

test('a link is made within the rights of its maker, and revoked by those who have its groups, with a fresh proof', async () => {
  await using janua = await open('users:read', 'users:write');
  const { services, make, post } = janua;
  for (const [more, status] of [
    [{ groups: 'staff' }, 403],
    [{ groups: 'admins' }, 409],
    [{ groups: 'nobody' }, 404],
    [{ uses: 10_001 }, 422],
    [{ expires_in_days: 366 }, 422],
    [{ domain: 'not a domain' }, 422],
    [{ label: 'x\ny' }, 422],
    [{}, 201],
  ] as const)
    assert.equal((await make(more)).statusCode, status, JSON.stringify(more));
  const link = { label: 'Other', groups: ['staff'], uses: 1, days: 1, domain: '' };
  const { id } = await services.administration.addInviteLink(link);
  assert.equal((await post(`${url}/revoke`, json({ id }))).statusCode, 403);
  const [, own] = await janua.list();
  janua.pass(3_600_000);
  for (const sent of [make(), post(`${url}/revoke`, json({ id: own.id }))])
    assert.equal((await sent).json().error, 'insufficient_user_authentication');
});
