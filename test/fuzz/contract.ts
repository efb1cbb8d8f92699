import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { oauthEndpoint } from '../../src/web/problem.ts';
import { marks } from './corpus.ts';
import type { Operation, Response, Schema } from './document.ts';
import { isHttp, type Request } from './request.ts';
import type { Answer } from './wire.ts';

/** Headers and values of every answer of a route. No operation documents them. */
const everywhere: Readonly<Record<string, RegExp>> = {
  // The second is that of a page which another host shows.
  'content-security-policy':
    /^default-src 'none'; (?:script-src 'self';(?!.*unsafe).*|style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none';) frame-ancestors 'none'$/,
  'x-content-type-options': /^nosniff$/,
  'referrer-policy': /^strict-origin$/,
  'cross-origin-opener-policy': /^same-origin$/,
  'cross-origin-resource-policy': /^same-origin$/,
  'permissions-policy': /./,
  'x-frame-options': /^DENY$/,
  'cache-control': /^no-store$/,
  pragma: /^no-cache$/,
  'x-request-id': /^[\da-f-]{36}$/,
  connection: /^close$/,
  date: /GMT$/,
};

/** Headers that describe the body, or whose value the format decides. */
const described = ['content-type', 'content-length', 'transfer-encoding', 'content-language', 'vary'];

/** Answers to requests that match no operation, or an operation in another spelling. */
const elsewhere: Operation['responses'] = Object.fromEntries(
  [200, 204, 303, 400, 401, 403, 404, 405, 413, 414, 415].map((status) => [
    status,
    {
      headers: Object.fromEntries(
        [
          'Accept',
          'Allow',
          'Set-Cookie',
          'WWW-Authenticate',
          'Remote-User',
          'Remote-Name',
          'Remote-Email',
          'Remote-Groups',
        ].map((name) => [name, {}]),
      ),
      content: { 'text/html': { schema: {} }, 'application/json': { schema: {} } },
    },
  ]),
);

/** The library answers here, with the statuses and headers of the protocol. Its own tests are in test/capabilities/oidc. */
const protocol =
  /^\/oidc\/(?:token|userinfo|introspection|revocation|device-authorization|par|jwks)$|^\/\.well-known\/o/;
const protocolStatuses = [200, 204, 400, 401, 403, 404, 405, 413, 415];

/** Compares answers with the document. */
export interface Contract {
  /**
   * @param operation undefined for a request that matches no operation
   * @throws {AssertionError} when the answer contradicts the document or reveals internals
   */
  check(request: Request, answers: readonly Answer[], operation?: Operation): void;
  /** The documented statuses that an operation has not used so far. */
  unseen(operation: Operation): string[];
}

export function createContract(): Contract {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const seen = new Map<string, Set<number>>();
  const keyOf = ({ method, path }: Operation) => `${method} ${path}`;

  const validators = new Map<Schema, ValidateFunction>();

  /** The validator of a schema that also refuses undocumented members, because they would be leaks. */
  function validatorOf(schema: Schema): ValidateFunction {
    const known = validators.get(schema);
    if (known !== undefined) return known;
    const open = schema.additionalProperties ?? schema.properties === undefined;
    const validate = ajv.compile({ ...schema, unevaluatedProperties: open });
    validators.set(schema, validate);
    return validate;
  }

  function checkJson(response: Response, body: string): void {
    const schema = response.content?.['application/json']?.schema;
    assert.ok(schema, 'JSON is documented for this status');
    const validate = validatorOf(schema);
    assert.ok(validate(JSON.parse(Buffer.from(body, 'latin1').toString())), ajv.errorsText(validate.errors));
  }

  return {
    check(request, answers, operation) {
      // A line break in a field may split the request into several.
      assert.ok(answers.length <= 1 || !isHttp(request), 'one request gets one response');
      const [answer] = answers;
      if (answer === undefined) {
        assert.ok(!isHttp(request), 'a valid HTTP request gets a response');
        return;
      }
      const header = headersOf(answer);
      assert.ok(answer.status < 500, `status ${answer.status}`);
      if (isOfParser(answer, header)) {
        assert.ok(!isHttp(request), `the HTTP parser refuses a valid request with ${answer.status}`);
        return;
      }

      if (protocol.test(operation?.path ?? '')) {
        assert.ok(protocolStatuses.includes(answer.status), `status ${answer.status}`);
        checkRevealsNothing(answer, typedTexts(request, operation));
        return;
      }
      if (operation !== undefined) {
        const key = keyOf(operation);
        seen.set(key, (seen.get(key) ?? new Set()).add(answer.status));
      }
      const documented = (operation?.responses ?? elsewhere)[answer.status];
      assert.ok(documented, `status ${answer.status} is documented`);
      // It is the same for all, and compressed: test/web/static-body.test.ts.
      const isDocument = operation?.path === '/openapi.json' && answer.status < 400;
      if (!isDocument) checkHeaders(header, documented);
      // Swagger UI speaks English only, while a refusal of it is a page in each language.
      const isTranslated = header.has('content-language') && !(operation?.path === '/docs' && answer.status === 200);
      const depends = isTranslated ? 'x-expected-format, Accept-Language, Cookie' : 'x-expected-format';
      const isError = answer.status >= 400 && header.get('content-type')?.startsWith('application/json');
      // `Accept` names the type of an error (RFC 9457), but not at token endpoints.
      const names = isError && !oauthEndpoint.test(operation?.path ?? '') ? 'Accept' : undefined;
      const both = [operation?.path.startsWith('/api/') ? undefined : depends, names].filter(Boolean);
      const vary = both.length > 0 ? both.join(', ') : undefined;
      if (operation !== undefined && !isDocument) assert.equal(header.get('vary'), vary);
      const type = header.get('content-type');
      // A form is shown again with what was typed, and a refusal names it.
      const isShown = answer.status === 422 || answer.status === 409;
      // Administrators name groups and users, and see the names.
      const isName = /\/admin\/(?:groups|users)\b/.test(operation?.path ?? '');
      const isPage = type?.startsWith('text/html') ?? false;
      const shown = isName ? marks.secret : isShown || isPage ? typedTexts(request, operation, isShown) : '';
      checkRevealsNothing(answer, shown);

      if (request.method === 'HEAD') assert.equal(answer.body, '');
      if (answer.body === '') return;
      assert.ok(documented.content, `a body is documented for ${answer.status}`);
      if (type === 'application/json; charset=utf-8') {
        if (operation !== undefined) checkJson(documented, answer.body);
        else if (answer.status >= 400) assert.equal(typeof JSON.parse(answer.body).detail, 'string');
      } else if (/^(?:text\/csv|application\/jsonl);/.test(type ?? '')) {
        assert.ok(documented.content[type?.split(';')[0] ?? ''], 'a file is documented for this status');
      } else {
        assert.equal(type, 'text/html; charset=utf-8');
        assert.ok(documented.content['text/html'], 'a page is documented for this status');
        assert.ok(!request.target.startsWith('/api/'), 'no page under /api/');
        const [, language] = /^<!doctype html>\n<html lang="(\w+)">[\s\S]*<\/html>\s*$/.exec(answer.body) ?? [];
        assert.ok(language !== undefined && language === header.get('content-language'), 'a page names its language');
      }
    },
    unseen: (operation) =>
      protocol.test(operation.path)
        ? []
        : Object.keys(operation.responses).filter((status) => !seen.get(keyOf(operation))?.has(Number(status))),
  };
}

/** Fields that may come several times (RFC 6265 3, RFC 9110 11.6.1). */
const repeatable = ['set-cookie', 'www-authenticate'];

/** The fields by name. @throws when another field than those occurs twice */
function headersOf({ headers }: Answer): Map<string, string> {
  const names = headers.map(([name]) => name).filter((name) => !repeatable.includes(name));
  assert.equal(new Set(names).size, names.length, `a field occurs twice: ${names.join()}`);
  return new Map(headers);
}

/** Whether Node's parser gave this answer to invalid HTTP, before any route or hook ran. */
function isOfParser({ status, body }: Answer, header: ReadonlyMap<string, string>): boolean {
  if (header.has('x-content-type-options')) return false;
  if (status === 417) return body === '';
  return [400, 408, 431].includes(status) && /^\{"error":"[\w ]+","message":"[\w ]+","statusCode":4\d\d\}$/.test(body);
}

function checkHeaders(header: ReadonlyMap<string, string>, documented: Response): void {
  for (const [name, pattern] of Object.entries(everywhere)) {
    const value = header.get(name);
    assert.ok(value !== undefined && pattern.test(value), `${name}: ${value}`);
  }
  const names = Object.keys(documented.headers ?? {}).map((name) => name.toLowerCase());
  for (const name of header.keys()) {
    assert.ok(
      name in everywhere || described.includes(name) || names.includes(name) || name === 'location',
      `${name} is documented`,
    );
  }
  // A refused login documents a cookie that it does not set. All other documented fields must be there.
  for (const name of names.filter((name) => ['location', 'retry-after'].includes(name))) {
    assert.ok(header.has(name), `${name} is documented, so it is sent`);
  }
  const location = header.get('location');
  if (location !== undefined) assert.ok(isOurs(location), `Location ${location}`);
  const cookie = header.get('set-cookie');
  if (cookie !== undefined)
    assert.match(
      cookie,
      /^(session|browser|language|login-failure|reset-next|ceremony)=[\w.-]*; Path=\/; HttpOnly; SameSite=Lax(; Max-Age=\d+)?$/,
    );
}

/** Whether every parser reads it as a path on this server. */
function isOurs(location: string): boolean {
  return (
    /^\/(?![/\\])[\x21-\x7e]*$/.test(location) &&
    new URL(location, 'http://janua.invalid').origin === 'http://janua.invalid'
  );
}

/** What every page keeps of a form, so that it can be shown again in another language. */
const kept = ['token', 'next'];

/** The values of a body as JSON, except those of passwords. @param all not only what every page keeps */
function typedTexts({ body = '' }: Request, operation: Operation | undefined, all = true): string {
  const [{ schema } = { schema: {} }] = Object.values(operation?.requestBody?.content ?? {});
  const fields = Object.entries<Schema>(schema.properties ?? {}).filter(([, { format }]) => format !== 'password');
  try {
    const sent = JSON.parse(body) as Record<string, unknown>;
    return JSON.stringify(fields.flatMap(([name]) => (all || kept.includes(name) ? [sent[name]] : [])));
  } catch {
    return '';
  }
}

/** Expects that no sent value became markup, a header or a result, and that the answer reveals no internals. @param shown may be in it */
function checkRevealsNothing({ headers, body }: Answer, shown: string): void {
  const lower = body.toLowerCase();
  // JSON may hold any text that was stored before.
  const isPage = headers.some(([name, value]) => name === 'content-type' && value.startsWith('text/html'));
  for (const mark of [...(isPage ? [marks.markup] : []), marks.product, marks.secret]) {
    assert.ok(!lower.includes(mark) || (mark === marks.secret && shown.includes(mark)), `the body shows ${mark}`);
  }
  assert.ok(!headers.some(([name]) => name === marks.header), 'the response has no header that the client sent');
  // An import names its columns.
  const told = body.replaceAll('disabled, password_hash', '');
  assert.doesNotMatch(told, /\$argon2|node_modules|\.ts:\d|SQLITE_|\bat \w+ \(|password_?hash/i);
}
