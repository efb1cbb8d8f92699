import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ann } from '../../janua.ts';
import { systemPython } from '../../servers/authlib.ts';
import { missing } from '../../servers/missing.ts';
import { openProvider, requireAnswer } from './application.ts';

const script = fileURLToPath(new URL('authlib_client.py', import.meta.url));

/** Without PKCE, as Authlib does for Flask, Django and Starlette unless it is told otherwise, and with it. */
for (const [protection, methods] of [
  ['a nonce', []],
  ['PKCE', ['S256']],
] as const) {
  test(`an application in Python signs a user in with Debian's Authlib and ${protection}, refreshes, introspects and revokes`, {
    skip: missing('Authlib'),
  }, async () => {
    await using server = await openProvider();
    const { clientId, secret = '', redirectUri } = await server.addApplication();
    const python = spawn(systemPython, [script, server.origin, clientId, secret, redirectUri, ...methods], {
      env: { AUTHLIB_INSECURE_TRANSPORT: '1' },
    });
    const [complaints, ended] = [text(python.stderr), once(python, 'exit')];
    const lines = createInterface(python.stdout)[Symbol.asyncIterator]();
    const read = async () => (await lines.next()).value ?? assert.fail(await complaints);

    const browser = await server.browser();
    const answer = requireAnswer(await browser.open(await read()));
    python.stdin.end(`${answer.href}\n`);
    const learned = JSON.parse(await read());
    assert.equal((await ended)[0], 0, await complaints);

    const { sub } = learned.claims;
    assert.equal(learned.claims.email, ann.username);
    assert.deepEqual([learned.userinfo.sub, learned.userinfo.name], [sub, 'Ann Archer']);
    assert.deepEqual([learned.refreshed, learned.userinfo_after_refresh], [true, 200]);
    const { active, client_id, sub: about } = learned.introspection;
    assert.deepEqual({ active, client_id, about }, { active: true, client_id: clientId, about: sub });
    assert.deepEqual(learned.access_token_after, { active: false });
    assert.deepEqual(learned.refresh_token_after, { active: false });
    assert.equal(learned.refusal, 'invalid_grant');
  });
}
