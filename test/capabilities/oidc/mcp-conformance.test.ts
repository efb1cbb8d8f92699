import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { findFreePort } from '../../servers/throw-away-server.ts';
import { openProvider } from './application.ts';

const program = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/dist/index.js');

test('passes the authorization suite of the MCP conformance tests', async () => {
  await using server = await openProvider({ settings: { CLIENT_ID_METADATA: ['any'] } });
  const resource = 'https://mcp.example.com/mcp';
  const tools = { uri: resource, scopes: ['tools'], tokenFormat: 'jwt' } as const;
  await server.janua.services.clientAdministration.addResource(tools);
  const redirectUris = ['http://127.0.0.1/callback'];
  const { clientId } = await server.addApplication({ own: false, isPublic: true, redirectUris });
  const browser = await server.browser();
  const port = await findFreePort();
  const suite = spawn(
    process.execPath,
    [
      ...[program, 'authorization', '--url', server.origin, '--client-id', clientId],
      ...['--resource', resource, '--port', `${port}`],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 },
  );
  const closed = new Promise((done) => suite.once('close', done));
  let output = '';
  suite.stderr.on('data', (text) => {
    output += text;
  });
  for await (const line of createInterface({ input: suite.stdout })) {
    output += `${line}\n`;
    // The suite waits for a person who signs in.
    if (!line.startsWith(`${server.origin}/oidc/auth?`)) continue;
    const consent = await browser.open(line);
    const answer = await browser.submit(consent.url, { decision: 'allow' });
    await fetch(answer.url);
  }
  assert.equal(await closed, 0, output);
  assert.match(output, /authorization-code-grant/, output);
  assert.doesNotMatch(output, /skipped|warning|⚠/i, output);
});
