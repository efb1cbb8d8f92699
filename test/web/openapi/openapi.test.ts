import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parseDocument } from '../../fuzz/document.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { form } from '../faces.ts';

interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}

interface Media {
  schema: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

async function withDocument() {
  const janua = await startJanua({
    settings: { SIGN_UP: 'on', HANDLES: 'users', UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json' },
  });
  const document = parseDocument((await janua.get('/openapi.json')).body);
  const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  return { janua, document, operations };
}

test('the document lists every route, in OpenAPI 3.1, with relative addresses only', async () => {
  const { janua, document, operations } = await withDocument();
  assert.match(document.openapi, /^3\.1\./);
  assert.deepEqual(operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).sort(), [
    'GET /',
    'GET /.well-known/oauth-authorization-server',
    'GET /.well-known/openid-configuration',
    'GET /.well-known/passkey-endpoints',
    'GET /account',
    'GET /account/applications',
    'GET /account/confirm-email',
    'GET /account/delete',
    'GET /account/email',
    'GET /account/export',
    'GET /account/handle',
    'GET /account/password',
    'GET /account/profile',
    'GET /account/security',
    'GET /account/security/totp',
    'GET /account/sessions',
    'GET /account/sign-in-methods',
    'GET /account/tokens',
    'GET /admin',
    'GET /admin/audit',
    'GET /admin/audit/export',
    'GET /admin/clients',
    'GET /admin/clients/add',
    'GET /admin/clients/{id}',
    'GET /admin/clients/{id}/add-secret',
    'GET /admin/clients/{id}/change',
    'GET /admin/clients/{id}/claims',
    'GET /admin/clients/{id}/picture',
    'GET /admin/clients/{id}/remove',
    'GET /admin/clients/{id}/remove-secret',
    'GET /admin/clients/{id}/rotate-secret',
    'GET /admin/groups',
    'GET /admin/mail',
    'GET /admin/me',
    'GET /admin/resources',
    'GET /admin/resources/exchange',
    'GET /admin/resources/secret',
    'GET /admin/settings',
    'GET /admin/throttle',
    'GET /admin/upstreams',
    'GET /admin/users',
    'GET /admin/users/add',
    'GET /admin/users/export',
    'GET /admin/users/import',
    'GET /admin/users/imports',
    'GET /admin/users/invite-links',
    'GET /admin/users/{id}',
    'GET /admin/users/{id}/claims',
    'GET /admin/users/{id}/delete',
    'GET /admin/users/{id}/disable',
    'GET /admin/users/{id}/enable',
    'GET /admin/users/{id}/end-sessions',
    'GET /admin/users/{id}/groups',
    'GET /admin/users/{id}/handle',
    'GET /admin/users/{id}/lift',
    'GET /admin/users/{id}/name',
    'GET /admin/users/{id}/offer-email',
    'GET /admin/users/{id}/remove-factors',
    'GET /admin/users/{id}/send-reset',
    'GET /admin/users/{id}/set-email',
    'GET /admin/users/{id}/verify',
    'GET /api/account',
    'GET /api/account/applications',
    'GET /api/account/confirm-email',
    'GET /api/account/delete',
    'GET /api/account/email',
    'GET /api/account/export',
    'GET /api/account/handle',
    'GET /api/account/password',
    'GET /api/account/profile',
    'GET /api/account/security',
    'GET /api/account/security/totp',
    'GET /api/account/sessions',
    'GET /api/account/sign-in-methods',
    'GET /api/account/tokens',
    'GET /api/admin',
    'GET /api/admin/audit',
    'GET /api/admin/clients',
    'GET /api/admin/clients/add',
    'GET /api/admin/clients/{id}',
    'GET /api/admin/clients/{id}/add-secret',
    'GET /api/admin/clients/{id}/change',
    'GET /api/admin/clients/{id}/claims',
    'GET /api/admin/clients/{id}/picture',
    'GET /api/admin/clients/{id}/remove',
    'GET /api/admin/clients/{id}/remove-secret',
    'GET /api/admin/clients/{id}/rotate-secret',
    'GET /api/admin/groups',
    'GET /api/admin/mail',
    'GET /api/admin/resources',
    'GET /api/admin/resources/exchange',
    'GET /api/admin/resources/secret',
    'GET /api/admin/settings',
    'GET /api/admin/throttle',
    'GET /api/admin/upstreams',
    'GET /api/admin/users',
    'GET /api/admin/users/add',
    'GET /api/admin/users/import',
    'GET /api/admin/users/imports',
    'GET /api/admin/users/invite-links',
    'GET /api/admin/users/{id}',
    'GET /api/admin/users/{id}/claims',
    'GET /api/admin/users/{id}/delete',
    'GET /api/admin/users/{id}/disable',
    'GET /api/admin/users/{id}/enable',
    'GET /api/admin/users/{id}/end-sessions',
    'GET /api/admin/users/{id}/groups',
    'GET /api/admin/users/{id}/handle',
    'GET /api/admin/users/{id}/lift',
    'GET /api/admin/users/{id}/name',
    'GET /api/admin/users/{id}/offer-email',
    'GET /api/admin/users/{id}/remove-factors',
    'GET /api/admin/users/{id}/send-reset',
    'GET /api/admin/users/{id}/set-email',
    'GET /api/admin/users/{id}/verify',
    'GET /api/confirm',
    'GET /api/confirm-email',
    'GET /api/demo/mail',
    'GET /api/enrol-factor',
    'GET /api/first-administrator',
    'GET /api/forgot-password',
    'GET /api/join',
    'GET /api/me',
    'GET /api/oidc/device',
    'GET /api/reset-password',
    'GET /api/second-factor',
    'GET /api/sign-up',
    'GET /api/sign-up/finish',
    'GET /auth/confirm',
    'GET /auth/confirm-email',
    'GET /auth/enrol-factor',
    'GET /auth/first-administrator',
    'GET /auth/forgot-password',
    'GET /auth/forward',
    'GET /auth/home',
    'GET /auth/join',
    'GET /auth/login',
    'GET /auth/refused',
    'GET /auth/reset-password',
    'GET /auth/second-factor',
    'GET /auth/sign-up',
    'GET /auth/sign-up/finish',
    'GET /auth/upstream/{id}/callback',
    'GET /auth/verify',
    'GET /demo/mail',
    'GET /docs',
    'GET /health/live',
    'GET /health/ready',
    'GET /oidc/auth',
    'GET /oidc/auth/{uid}',
    'GET /oidc/device',
    'GET /oidc/interaction/{uid}',
    'GET /oidc/jwks',
    'GET /oidc/logout',
    'GET /oidc/userinfo',
    'GET /openapi.json',
    'POST /account/applications/revoke',
    'POST /account/confirm-email',
    'POST /account/delete',
    'POST /account/email',
    'POST /account/handle',
    'POST /account/password',
    'POST /account/profile',
    'POST /account/security/passkeys',
    'POST /account/security/passkeys/decline',
    'POST /account/security/passkeys/options',
    'POST /account/security/passkeys/remove',
    'POST /account/security/passkeys/rename',
    'POST /account/security/recovery-codes',
    'POST /account/security/totp',
    'POST /account/security/totp/begin',
    'POST /account/security/totp/remove',
    'POST /account/security/trusted-browsers/end',
    'POST /account/sessions/end',
    'POST /account/sessions/end-others',
    'POST /account/sign-in-methods/begin',
    'POST /account/sign-in-methods/link',
    'POST /account/sign-in-methods/unlink',
    'POST /account/tokens',
    'POST /account/tokens/end',
    'POST /admin/clients/add',
    'POST /admin/clients/{id}/add-secret',
    'POST /admin/clients/{id}/change',
    'POST /admin/clients/{id}/claims',
    'POST /admin/clients/{id}/picture',
    'POST /admin/clients/{id}/remove',
    'POST /admin/clients/{id}/remove-secret',
    'POST /admin/clients/{id}/rotate-secret',
    'POST /admin/groups',
    'POST /admin/groups/claims',
    'POST /admin/groups/remove',
    'POST /admin/groups/scopes',
    'POST /admin/groups/second-factor',
    'POST /admin/mail/retry',
    'POST /admin/resources',
    'POST /admin/resources/exchange',
    'POST /admin/resources/remove',
    'POST /admin/resources/secret',
    'POST /admin/throttle/lift',
    'POST /admin/users',
    'POST /admin/users/import',
    'POST /admin/users/imports/undo',
    'POST /admin/users/invite-links',
    'POST /admin/users/invite-links/revoke',
    'POST /admin/users/{id}/claims',
    'POST /admin/users/{id}/delete',
    'POST /admin/users/{id}/disable',
    'POST /admin/users/{id}/enable',
    'POST /admin/users/{id}/end-sessions',
    'POST /admin/users/{id}/groups',
    'POST /admin/users/{id}/handle',
    'POST /admin/users/{id}/lift',
    'POST /admin/users/{id}/name',
    'POST /admin/users/{id}/offer-email',
    'POST /admin/users/{id}/remove-factors',
    'POST /admin/users/{id}/send-reset',
    'POST /admin/users/{id}/set-email',
    'POST /admin/users/{id}/verify',
    'POST /api/account/applications/revoke',
    'POST /api/account/confirm-email',
    'POST /api/account/delete',
    'POST /api/account/email',
    'POST /api/account/handle',
    'POST /api/account/password',
    'POST /api/account/profile',
    'POST /api/account/security/passkeys',
    'POST /api/account/security/passkeys/decline',
    'POST /api/account/security/passkeys/options',
    'POST /api/account/security/passkeys/remove',
    'POST /api/account/security/passkeys/rename',
    'POST /api/account/security/recovery-codes',
    'POST /api/account/security/totp',
    'POST /api/account/security/totp/begin',
    'POST /api/account/security/totp/remove',
    'POST /api/account/security/trusted-browsers/end',
    'POST /api/account/sessions/end',
    'POST /api/account/sessions/end-others',
    'POST /api/account/sign-in-methods/begin',
    'POST /api/account/sign-in-methods/link',
    'POST /api/account/sign-in-methods/unlink',
    'POST /api/account/tokens',
    'POST /api/account/tokens/end',
    'POST /api/admin/clients/add',
    'POST /api/admin/clients/{id}/add-secret',
    'POST /api/admin/clients/{id}/change',
    'POST /api/admin/clients/{id}/claims',
    'POST /api/admin/clients/{id}/picture',
    'POST /api/admin/clients/{id}/remove',
    'POST /api/admin/clients/{id}/remove-secret',
    'POST /api/admin/clients/{id}/rotate-secret',
    'POST /api/admin/groups',
    'POST /api/admin/groups/claims',
    'POST /api/admin/groups/remove',
    'POST /api/admin/groups/scopes',
    'POST /api/admin/groups/second-factor',
    'POST /api/admin/mail/retry',
    'POST /api/admin/resources',
    'POST /api/admin/resources/exchange',
    'POST /api/admin/resources/remove',
    'POST /api/admin/resources/secret',
    'POST /api/admin/throttle/lift',
    'POST /api/admin/users',
    'POST /api/admin/users/import',
    'POST /api/admin/users/imports/undo',
    'POST /api/admin/users/invite-links',
    'POST /api/admin/users/invite-links/revoke',
    'POST /api/admin/users/{id}/claims',
    'POST /api/admin/users/{id}/delete',
    'POST /api/admin/users/{id}/disable',
    'POST /api/admin/users/{id}/enable',
    'POST /api/admin/users/{id}/end-sessions',
    'POST /api/admin/users/{id}/groups',
    'POST /api/admin/users/{id}/handle',
    'POST /api/admin/users/{id}/lift',
    'POST /api/admin/users/{id}/name',
    'POST /api/admin/users/{id}/offer-email',
    'POST /api/admin/users/{id}/remove-factors',
    'POST /api/admin/users/{id}/send-reset',
    'POST /api/admin/users/{id}/set-email',
    'POST /api/admin/users/{id}/verify',
    'POST /api/confirm',
    'POST /api/confirm-email',
    'POST /api/confirm/options',
    'POST /api/confirm/upstream/{id}',
    'POST /api/enrol-factor',
    'POST /api/enrol-factor/begin',
    'POST /api/first-administrator',
    'POST /api/forgot-password',
    'POST /api/join',
    'POST /api/language',
    'POST /api/login',
    'POST /api/logout',
    'POST /api/oidc/device',
    'POST /api/passkey',
    'POST /api/passkey/options',
    'POST /api/reset-password',
    'POST /api/second-factor',
    'POST /api/second-factor/options',
    'POST /api/sign-up',
    'POST /api/sign-up/finish',
    'POST /api/upstream/{id}',
    'POST /auth/confirm',
    'POST /auth/confirm-email',
    'POST /auth/confirm/options',
    'POST /auth/confirm/upstream/{id}',
    'POST /auth/enrol-factor',
    'POST /auth/enrol-factor/begin',
    'POST /auth/first-administrator',
    'POST /auth/forgot-password',
    'POST /auth/join',
    'POST /auth/language',
    'POST /auth/logout',
    'POST /auth/passkey',
    'POST /auth/passkey/options',
    'POST /auth/reset-password',
    'POST /auth/second-factor',
    'POST /auth/second-factor/options',
    'POST /auth/sign-up',
    'POST /auth/sign-up/finish',
    'POST /auth/token',
    'POST /auth/upstream/{id}',
    'POST /oidc/auth',
    'POST /oidc/device',
    'POST /oidc/device-authorization',
    'POST /oidc/interaction/{uid}',
    'POST /oidc/introspection',
    'POST /oidc/logout',
    'POST /oidc/logout/confirm',
    'POST /oidc/par',
    'POST /oidc/revocation',
    'POST /oidc/token',
    'POST /oidc/userinfo',
  ]);
  assert.equal(document.servers, undefined, 'without `servers`, the document is about its own server');
  assert.equal(document.components.securitySchemes.password.flows.password.tokenUrl, '/api/login');
  assert.deepEqual(document.components.securitySchemes.session.name, 'session');
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
  await janua[Symbol.asyncDispose]();
});

test('every documented body has a schema and valid examples', async () => {
  const { janua, operations } = await withDocument();
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  let checked = 0;
  for (const { path, operation } of operations) {
    assert.ok(operation.summary);
    for (const [status, response] of Object.entries(operation.responses)) {
      assert.ok(response.description, `${path} ${status}`);
      for (const media of Object.values(response.content ?? {})) {
        const examples =
          media.examples === undefined ? [media.example] : Object.values(media.examples).map(({ value }) => value);
        assert.ok(examples.length > 0);
        for (const example of examples) {
          assert.ok(ajv.validate(media.schema, example), `${path} ${status}: ${ajv.errorsText()}`);
          checked++;
        }
      }
    }
  }
  assert.ok(checked > 50);
  await janua[Symbol.asyncDispose]();
});

test('x-expected-format is a parameter of exactly the routes with two formats', async () => {
  const { janua, operations } = await withDocument();
  for (const { path, operation } of operations) {
    const has =
      operation.parameters?.some(({ name, in: place }) => name === 'x-expected-format' && place === 'header') ?? false;
    assert.equal(has, /^\/(auth|account|admin|demo|oidc\/device)(\/|$)|^\/$/.test(path), path);
  }
  await janua[Symbol.asyncDispose]();
});

test('a login documents each way in which it is refused, and so does a route for signed-in users', async () => {
  const { janua, operations } = await withDocument();
  for (const [url, statuses] of [
    ['/api/login', ['200', '400', '403', '413', '415', '429', '500', '503']],
    ['/api/me', ['200', '400', '401', '500', '503']],
  ] as const) {
    const found = operations.find(({ path }) => path === url)?.operation.responses ?? {};
    assert.deepEqual(Object.keys(found), statuses, url);
  }
  await janua[Symbol.asyncDispose]();
});

test('every answer has a documented status and body', async () => {
  const { janua, operations } = await withDocument();
  const { cookie } = await janua.logIn();
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const bodies = [
    {},
    form({ username: ann.username, password }),
    form({ username: ann.username, password: 'wrong' }),
    form({ username: ann.username, password, grant_type: 'x' }),
    form({ username: ann.username }),
    form({ email: ann.username, token: 'x' }),
    form({ current_password: 'wrong', new_password: 'short' }),
    { headers: { 'content-type': 'application/json' }, payload: '{' },
    { headers: { 'content-type': 'text/plain' }, payload: 'x' },
    { headers: { 'content-type': 'application/json' }, payload: ' '.repeat(70_000) },
  ];
  const extra = [
    {},
    cookie,
    { authorization: 'Bearer x' },
    { 'x-expected-format': 'application/json' },
    { 'x-expected-format': 'application/json', ...cookie },
    { origin: 'null' },
  ];
  for (const { path, method, operation } of operations) {
    for (const body of method === 'post' ? bodies : [{}]) {
      for (const headers of extra) {
        const sent = 'headers' in body ? body.headers : {};
        const answer = await janua.app.inject({
          method: method.toUpperCase() as 'GET',
          url: path,
          ...body,
          headers: { ...sent, ...headers },
        });
        const documented = operation.responses[answer.statusCode];
        assert.ok(documented, `${method} ${path} answers ${answer.statusCode}, which is not documented`);
        if (!String(answer.headers['content-type']).startsWith('application/json')) continue;
        const schema = documented.content?.['application/json']?.schema;
        assert.ok(schema, `${method} ${path} ${answer.statusCode} has a JSON schema`);
        assert.ok(ajv.validate(schema, answer.json()), `${method} ${path}: ${ajv.errorsText()}`);
      }
    }
  }
  await janua[Symbol.asyncDispose]();
});

/** Rules of the linter that do not fit, each with its reason. All other rules are on. */
const rules = {
  'no-empty-servers': 'off', // The server is the one that sends the document.
  'tags-alphabetical': 'off', // The tags are in reading order.
  'info-contact': 'off', // The server does not know its operator.
  'operation-2xx-response': 'off', // One operation always refuses.
  'operation-description': 'off', // The summary is enough for some.
  'scalar-property-missing-example': 'off', // Examples are whole bodies.
  'required-string-property-missing-min-length': 'off', // A user may have no last name.
  'no-http-verbs-in-paths': 'off', // A form can only send POST, so its address names the action.
  'path-segment-plural': 'off', // These are actions and the user's own data, not collections.
  'operation-4xx-problem-details-rfc7807': 'off', // Token errors are those of RFC 6749, as application/json.
  'request-mime-type': { severity: 'error', allowedValues: ['application/x-www-form-urlencoded', 'application/json'] },
  'response-mime-type': {
    severity: 'error',
    allowedValues: ['text/html', 'application/json', 'application/problem+json', 'text/csv', 'application/jsonl'],
  },
} as const;

test('the document passes all rules of a linter but those named here', async () => {
  await using janua = await startJanua({
    settings: { SIGN_UP: 'on', HANDLES: 'users', UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json' },
  });
  const { body } = await janua.get('/openapi.json');
  const lint = async (source: string) => {
    const config = await createConfig({ extends: ['all'], rules });
    const problems = await lintFromString({ source, absoluteRef: '/openapi.json', config });
    return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`);
  };
  assert.deepEqual(await lint(body), []);
  const broken = body.replace('"summary":"Who am I"', '"summery":"Who am I"');
  assert.match((await lint(broken)).join(), /summary|summery/, 'the linter reports a mistake');
});

test('DOCS=off removes the document and its page', async () => {
  await using janua = await startJanua({ settings: { DOCS: 'off' } });
  for (const url of ['/docs', '/docs/', '/docs/docs.js', '/docs/swagger-ui.js', '/openapi.json']) {
    assert.equal((await janua.get(url)).statusCode, 404);
  }
});

test('/docs/ redirects to /docs', async () => {
  await using janua = await startJanua();
  const { statusCode, headers } = await janua.get('/docs/');
  assert.deepEqual([statusCode, headers.location], [303, '/docs']);
});

test('Swagger UI requests no other server, and stores no token', async () => {
  await using janua = await startJanua();
  const { body } = await janua.get('/docs/docs.js');
  let given: object | undefined;
  runInNewContext(body, {
    document: { documentElement: { classList: { toggle() {} } } },
    matchMedia: () => ({ matches: false, addEventListener() {} }),
    SwaggerUIBundle(options: object) {
      given = { ...options };
    },
  });
  assert.deepEqual(given, {
    dom_id: '#swagger-ui',
    url: '/openapi.json',
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
  });
});
