import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTrust, splitTrusts, TrustFault, textOfTrust } from '../../../../src/capabilities/oidc/machines/trust.ts';
import { createIssuerKey } from './issuer.ts';

const keys = { keys: [createIssuerKey('one').jwk] };
const github = 'https://token.actions.githubusercontent.com';
const uid = '/kubernetes.io/serviceaccount/uid';

for (const [text, issuer, claims] of [
  ['github:o/r,repository_id=42', github, { repository: 'o/r', repository_id: '42' }],
  [
    'github:o/r,repository_id=42,environment=Production East',
    github,
    { repository: 'o/r', repository_id: '42', environment: 'Production East' },
  ],
  ['gitlab:g/h/p,project_id=7', 'https://gitlab.com', { project_path: 'g/h/p', project_id: '7' }],
  [
    'gitlab:g/p,project_id=7,issuer=https://git.example.com',
    'https://git.example.com',
    { project_path: 'g/p', project_id: '7' },
  ],
  [
    'kubernetes:prod/deployer,issuer=https://k8s,uid=u',
    'https://k8s',
    { sub: 'system:serviceaccount:prod:deployer', [uid]: 'u' },
  ],
  ['issuer=https://ci.example.com,sub=a=b', 'https://ci.example.com', { sub: 'a=b' }],
] as const)
  test(`${text} is read, and written so that it is read again`, () => {
    for (const end of ['', ',once', `,once,jwks=${JSON.stringify(keys)}`]) {
      const trust = parseTrust(text + end);
      assert.deepEqual(
        [trust.issuer, trust.claims, trust.once, trust.keys !== undefined],
        [issuer, claims, end !== '', end.includes('jwks')],
      );
      assert.deepEqual(parseTrust(textOfTrust(trust)), trust);
    }
  });

for (const [text, code] of [
  ['github:o/r', 'trust-without-id'],
  ['github:o/r,sub=repo:o/r:ref:refs/heads/main', 'trust-without-id'],
  ['gitlab:g/p,ref=main', 'trust-without-id'],
  ['kubernetes:prod/deployer,issuer=https://k8s', 'trust-without-id'],
  ['kubernetes:prod/deployer,uid=u', 'not-a-trust'],
  [`issuer=${github}`, 'trust-without-id'],
  [`issuer=${github},ref=refs/heads/main`, 'trust-without-id'],
  [`issuer=${github},repository=o/r`, 'trust-without-id'],
  ['sub=a', 'not-a-trust'],
  ['issuer=https://a,sub=', 'not-a-trust'],
  ['issuer=https://a,sub=a,sub=b', 'not-a-trust'],
  ['issuer=https://a,sub=a,once=1', 'not-a-trust'],
  ['issuer=https://a,sub=a,aud=x', 'not-a-trust'],
  ['issuer=https://a,sub=a,exp=1', 'not-a-trust'],
  ['issuer=https://a,sub=a,__proto__=x', 'not-a-trust'],
  ['bitbucket:o/r,sub=a', 'not-a-trust'],
  ['constructor:o/r,sub=a', 'not-a-trust'],
  ['github:o,repository_id=42', 'not-a-trust'],
  ['', 'not-a-trust'],
  ['issuer=https://a,sub=a,jwks={"keys":[]}', 'not-a-key-set'],
  ['issuer=https://a,sub=a,jwks={"keys":[{"kty":"oct","k":"AAAA"}]}', 'not-a-key-set'],
  ['issuer=https://a,sub=a,jwks={"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}', 'not-a-key-set'],
  ['issuer=https://a,sub=a,jwks={', 'not-a-key-set'],
] as const)
  test(`"${text}" is refused: ${code}`, () => {
    assert.throws(
      () => parseTrust(text),
      (error) => error instanceof TrustFault && error.code === code,
    );
  });

test('trusts are split at their beginnings, not at each space', () => {
  const texts = ['github:o/r,repository_id=42,environment=Production East', 'issuer=https://a,sub=b c'];
  for (const space of ['\r\n', ' ']) assert.deepEqual(splitTrusts(texts.join(space)), texts);
});

test('no private part of an uploaded key is stored', () => {
  const jwk = { ...keys.keys[0], d: 'secret', x5c: ['x'] };
  const trust = parseTrust(`issuer=https://a,sub=a,jwks=${JSON.stringify({ keys: [jwk] })}`);
  assert.doesNotMatch(textOfTrust(trust), /secret|x5c/);
});
