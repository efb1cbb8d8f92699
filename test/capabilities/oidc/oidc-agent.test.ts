import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { missing } from '../../servers/missing.ts';
import { startOidcAgent } from '../../servers/oidc-agent.ts';
import { openProvider } from './application.ts';

for (const isPublic of [false, true])
  test(`oidc-agent signs in as a device does, as a ${isPublic ? 'public client' : 'client with a secret'}, until its user revokes it`, {
    skip: missing('oidc-agent'),
  }, async () => {
    await using server = await openProvider();
    await using agent = await startOidcAgent();
    const { clientId, secret = '' } = await server.addApplication({
      name: 'Build server',
      ...{ device: true, own: false, redirectUris: [], isPublic },
    });
    const browser = await server.browser();

    const generating = agent.generate(
      ...['--flow=device', `--iss=${server.origin}`, `--client-id=${clientId}`, `--client-secret=${secret}`],
      ...['--scope=openid profile offline_access', 'janua'],
    );
    const ended = once(generating, 'exit');
    const said: string[] = [];
    let code: string | undefined;
    for await (const line of createInterface(generating.stderr)) {
      said.push(line);
      code = /code: ([A-Z-]+)$/.exec(line)?.[1];
      if (code !== undefined) break;
    }
    assert.ok(code, said.join('\n'));
    const page = await browser.open(`/oidc/device?user_code=${code}`);
    assert.match(page.text, /Name<\/dt><dd>Build server/);
    const done = await browser.submit('/oidc/device', { user_code: code, decision: 'allow' });
    assert.match(done.text, /The device is signed in/);
    assert.deepEqual(await ended, [0, null], said.join('\n'));

    const learn = (token: string) =>
      fetch(`${server.origin}/oidc/userinfo`, { headers: { authorization: `Bearer ${token}` } });
    const token = await agent.token('janua');
    assert.match(await (await learn(token)).text(), /"name":"Ann Archer"/);
    const next = await agent.token('--force-new', 'janua');
    assert.notEqual(next, token);

    await browser.submit('/account/applications/revoke', { client_id: clientId });
    assert.equal((await learn(next)).status, 401);
    await assert.rejects(agent.token('--force-new', 'janua'), /invalid_grant/);
  });
