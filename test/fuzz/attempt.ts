import fc, { type Arbitrary } from 'fast-check';
import {
  hostileBodies,
  hostileBytes,
  hostileJson,
  hostileTexts,
  oddContentTypes,
  oddFields,
  oddMethods,
  oddTargets,
} from './corpus.ts';
import { type CredentialKind, credentialKinds } from './credentials.ts';
import { needsCredentials, type Operation, type Parameter, type Schema } from './document.ts';
import { bodyTypesOf, bytesOf, type Entry, encoded, type Field, formOf, type Request, writers } from './request.ts';

/** A request without its credentials, which only a running server can create. */
export interface Attempt {
  readonly request: Request;
  readonly credential: CredentialKind;
  /** Bytes for an odd kind of credential, in place of a good one. */
  readonly odd: string;
}

const formType = 'application/x-www-form-urlencoded';

/** The parameters of an operation in one place. @throws for a parameter in an unknown place */
function parametersOf({ parameters = [], path }: Operation, place: 'query' | 'header'): readonly Parameter[] {
  for (const parameter of parameters) {
    // The example of a part of the path is in it already.
    if (!['query', 'header', 'path'].includes(parameter.in))
      throw new Error(`${path} has a ${parameter.in} parameter: it needs values in test/fuzz/attempt.ts`);
  }
  return parameters.filter((parameter) => parameter.in === place);
}

/** The documented body that succeeds. @throws if none is documented */
function exampleOf(operation: Operation, type: string): Entry[] {
  const example = operation.requestBody?.content[type]?.example;
  if (typeof example !== 'object' || example === null) throw new Error(`${operation.path} needs an example of ${type}`);
  return Object.entries(example).map(([name, value]) => ({ name, value }));
}

const plain: Attempt = {
  request: { method: '', target: '', headers: [], body: undefined, chunked: false },
  credential: 'none',
  odd: '',
};

/** The request that works according to the document. */
function baseOf(operation: Operation, type = bodyTypesOf(operation)[0]): Attempt {
  const { method, path } = operation;
  const body = type === undefined ? undefined : (writers[type]?.(exampleOf(operation, type)) ?? '');
  const headers: Field[] = type === undefined ? [] : [['Content-Type', type]];
  const query = parametersOf(operation, 'query').flatMap(({ name, example }) =>
    example === undefined ? [] : [{ name, value: example }],
  );
  const target = query.length === 0 ? path : `${path}?${formOf(query)}`;
  const credential = needsCredentials(operation) ? 'cookie' : 'none';
  return { ...plain, credential, request: { ...plain.request, method, target, headers, body } };
}

function withHeaders(attempt: Attempt, ...headers: readonly Field[]): Attempt {
  return { ...attempt, request: { ...attempt.request, headers: [...attempt.request.headers, ...headers] } };
}

function withBody(attempt: Attempt, body: string, type: string | undefined, chunked = false): Attempt {
  const headers = attempt.request.headers.filter(([name]) => name !== 'Content-Type');
  const typed: Field[] = type === undefined ? headers : [...headers, ['Content-Type', type]];
  return { ...attempt, request: { ...attempt.request, headers: typed, body, chunked } };
}

/** Replaces the query. */
const withQuery = (attempt: Attempt, query: string): Attempt => ({
  ...attempt,
  request: { ...attempt.request, target: `${attempt.request.target.split('?', 1)[0]}?${query}` },
});

/** No header, and every documented example of a header parameter. They select a page or JSON. */
function facesOf(operation: Operation): Field[][] {
  const fields = parametersOf(operation, 'header').map(({ name, example }): Field => [name, String(example)]);
  return [[], ...fields.map((field) => [field])];
}

/** Values at and beyond the limits that a schema sets. */
function limitsOf({ minLength = 0, maxLength }: Schema): string[] {
  const most = maxLength ?? 100;
  return [Math.max(0, minLength - 1), minLength, most, most + 1].map((length) => 'a'.repeat(length));
}

/** Larger than any operation takes. */
const tooLarge = 'x'.repeat(200_000);

const dealt = <T>(values: readonly T[], hands: number, hand: number) =>
  values.filter((_, index) => index % hands === hand % hands);

/** Which hostile values an operation takes. */
export interface Share {
  /** Those that share the values of each field and parameter with the same name. Without the operation itself, it takes a sample. */
  readonly sharers: readonly Operation[];
  /** Into how many parts a sample is divided, and what hooks and parsers read for all operations. */
  readonly parts: number;
  readonly part: number;
}

const namesOf = (operation: Operation): string[] => [
  ...(operation.parameters ?? []).map(({ name }) => name),
  ...bodyTypesOf(operation).flatMap((type) =>
    Object.keys(operation.requestBody?.content[type]?.schema.properties ?? {}),
  ),
];

/** Sends hostile values in each parameter and each field of the operation, with valid values elsewhere. */
export function* everyAttempt(operation: Operation, { sharers, parts, part }: Share): Generator<Attempt> {
  const some = <T>(values: readonly T[]) => dealt(values, parts, part);
  const isSample = !sharers.includes(operation);
  /** @param step which of several equal places of this operation it is */
  function own<T>(values: readonly T[], name: string, step = 0, steps = 1): T[] {
    const among = sharers.filter((each) => namesOf(each).includes(name));
    return isSample
      ? dealt(values, parts * steps, part + parts * step)
      : dealt(values, among.length * steps, among.indexOf(operation) * steps + step);
  }
  const types = bodyTypesOf(operation);
  const faces = facesOf(operation);
  const base = baseOf(operation);
  /** Without its body, a login costs no hash. */
  const bases = [base, { ...base, request: { ...base.request, body: undefined } }];
  let turn = 0;
  /** The next item of a list. In time, all combinations occur. */
  const next = <T>(list: readonly T[]): T => list[turn++ % list.length] as T;

  for (const face of faces) {
    for (const credential of isSample
      ? (['none', 'cookie', 'dead token', ...some(credentialKinds)] as const)
      : credentialKinds)
      yield { ...withHeaders(base, ...face), credential, odd: 'x' };
    // What hooks and parsers refuse of each operation, which has to document it.
    yield withHeaders(base, ['Sec-Fetch-Site', 'cross-site'], ...face);
    yield withHeaders(withBody(base, 'a=b', 'text/plain'), ...face);
    yield withHeaders(base, ['Host', 'evil.example'], ...face);
  }
  const odd = ['odd cookie', 'odd token', 'odd token beside a good cookie'] as const;
  for (const text of some(hostileTexts))
    yield { ...withHeaders(base, ...next(faces)), credential: next(odd), odd: bytesOf(text) };
  for (const field of some(oddFields))
    yield { ...withHeaders(next(bases), field, ...next(faces)), credential: next(credentialKinds) };

  for (const { name, schema } of parametersOf(operation, 'header')) {
    for (const text of some([...hostileTexts, ...limitsOf(schema)]))
      yield { ...withHeaders(next(bases), [name, bytesOf(text)]), credential: next(credentialKinds), odd: 'x' };
  }
  for (const { name, schema } of parametersOf(operation, 'query')) {
    const values = [...[...hostileTexts, ...limitsOf(schema)].map(encoded), ...hostileBytes];
    for (const value of own(values, name))
      yield withHeaders(withQuery(next(bases), `${name}=${value}`), ...next(faces));
    yield withQuery(base, `${name}=1&${name}=2&${name}[a]=3`);
  }
  for (const bytes of some(hostileBytes)) yield withHeaders(withQuery(next(bases), bytes), ...next(faces));

  for (const [step, type] of types.entries()) {
    const example = exampleOf(operation, type);
    for (const [name, schema] of Object.entries(operation.requestBody?.content[type]?.schema.properties ?? {})) {
      const verbatim = (type === formType ? hostileBytes : hostileJson).map((value) => ({
        name,
        value,
        verbatim: true,
      }));
      // The types of body share the texts.
      const texts = own(hostileTexts, name, step, types.length);
      const values: Entry[] = [...texts, ...limitsOf(schema).slice(isSample ? -1 : 0)].map((value) => ({
        name,
        value,
      }));
      const others = example.filter((entry) => entry.name !== name);
      const bodies = [
        others,
        [...example, { name, value: 'a' }, { name, value: 'b' }],
        ...[...values, ...own(verbatim, name)].map((value) => [...others, value]),
      ];
      for (const entries of bodies)
        yield withHeaders(withBody(base, writers[type]?.(entries) ?? '', type), ...next(faces));
    }
  }
  const bodyTypes = types.length > 0 ? types : Object.keys(writers);
  for (const body of some(hostileBodies))
    yield withHeaders(
      withBody(base, body, next([...bodyTypes, ...bodyTypes, 'text/plain']), body.length % 2 === 0),
      ...next(faces),
    );
  yield withBody(base, tooLarge, bodyTypes[0]);
  for (const type of some(oddContentTypes))
    yield withHeaders(withBody(base, base.request.body ?? 'a=b', type), ...next(faces));
}

const hostileText = fc.constantFrom(...hostileTexts);
const oddText = fc.string({ unit: 'binary', maxLength: 300 });
const anyText = fc.oneof(hostileText, oddText, fc.string({ unit: 'grapheme' }), fc.webPath(), fc.emailAddress());
const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 200,
});
/** Values that a header can hold, and some that it cannot. */
const fieldValue = fc.oneof(fc.string({ unit: 'grapheme-ascii' }), hostileText.map(bytesOf), {
  weight: 1,
  arbitrary: latin1,
});

function textOf(schema: Schema): Arbitrary<string> {
  return fc.oneof(fc.constantFrom(...limitsOf(schema)), anyText);
}

function entriesOf(operation: Operation, type: string): Arbitrary<Entry[]> {
  const example = exampleOf(operation, type);
  const properties = operation.requestBody?.content[type]?.schema.properties ?? {};
  const named = Object.entries(properties).map(([name, schema]) => {
    const good = example.filter((entry) => entry.name === name);
    const value = fc.oneof(textOf(schema), fc.jsonValue({ maxDepth: 3 })).map((value) => [{ name, value }]);
    const verbatim = fc
      .constantFrom(...(type === formType ? hostileBytes : hostileJson))
      .map((value) => [{ name, value, verbatim: true }]);
    const odd = fc.oneof(
      fc.constant([]),
      value,
      verbatim,
      fc.tuple(value, value).map((pair) => pair.flat()),
    );
    return fc.oneof({ weight: 3, arbitrary: fc.constant<Entry[]>(good) }, { weight: 2, arbitrary: odd });
  });
  const others = fc.array(fc.record({ name: anyText, value: fc.jsonValue({ maxDepth: 2 }) }), { maxLength: 2 });
  return fc
    .tuple(fc.tuple(...named), fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: others }))
    .map(([fields, more]) => [...fields.flat(), ...more]);
}

/** A good text with one byte changed, left out or doubled. */
function damaged(text: string): Arbitrary<string> {
  return fc
    .tuple(fc.nat(text.length), fc.integer({ min: 0, max: 255 }), fc.constantFrom('change', 'drop', 'double', 'cut'))
    .map(([at, code, kind]) => {
      const [before, after] = [text.slice(0, at), text.slice(at)];
      if (kind === 'cut') return before;
      if (kind === 'double') return before + after + after;
      return before + (kind === 'change' ? String.fromCharCode(code) : '') + after.slice(1);
    });
}

function bodyOf(operation: Operation): Arbitrary<{ body: string; type: string | undefined } | undefined> {
  const odd = fc.record({
    body: fc.oneof(fc.constantFrom(...hostileBodies), latin1),
    type: fc.constantFrom(...oddContentTypes, ...Object.keys(writers)),
  });
  const good = bodyTypesOf(operation).flatMap((type) => {
    const write = writers[type] ?? String;
    const body = entriesOf(operation, type).map(write);
    return [
      { weight: 6, arbitrary: fc.record({ body, type: fc.constant(type) }) },
      { weight: 1, arbitrary: fc.record({ body, type: fc.constantFrom(...oddContentTypes) }) },
      { weight: 1, arbitrary: fc.record({ body: body.chain(damaged), type: fc.constant(type) }) },
    ];
  });
  return fc.oneof({ weight: good.length > 0 ? 1 : 3, arbitrary: fc.constant(undefined) }, odd, ...good);
}

/** Any request to an operation: each part good, nearly good or hostile. */
export function anyAttempt(operation: Operation): Arbitrary<Attempt> {
  const queries = parametersOf(operation, 'query').map(({ name, schema }) =>
    textOf(schema).map((value) => ({ name, value })),
  );
  const entry = fc.oneof(...queries, fc.record({ name: anyText, value: anyText }));
  const query = fc.oneof(
    fc.constant(''),
    fc.array(entry, { minLength: 1, maxLength: 4 }).map((entries) => `?${formOf(entries)}`),
    fc.constantFrom(...hostileBytes).map((bytes) => `?${bytes}`),
  );
  const documented = parametersOf(operation, 'header').map(({ name, example }) =>
    fc.oneof(fc.constant(String(example)), fieldValue).map((value): Field => [name, value]),
  );
  const field = fc.oneof(...documented, fc.constantFrom(...oddFields));
  return fc
    .record({
      query,
      fields: fc.array(field, { maxLength: 3 }),
      body: bodyOf(operation),
      chunked: fc.boolean(),
      credential: fc.constantFrom(...credentialKinds),
      odd: fieldValue,
    })
    .map(({ query, fields, body, chunked, credential, odd }) => {
      const { method, path } = operation;
      const request = { ...plain.request, method, target: path + query, headers: fields };
      const attempt = { request, credential, odd };
      return body === undefined ? attempt : withBody(attempt, body.body, body.type, chunked);
    });
}

/** Any method with any target that something could take for one of these paths. */
export function anyElsewhere(paths: readonly string[]): Arbitrary<Attempt> {
  const target = fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...paths), fc.constantFrom(...oddTargets))
        .map(([path, change]) => change(path)),
    },
    { weight: 1, arbitrary: fc.constantFrom(...paths).chain(damaged) },
    { weight: 1, arbitrary: fc.webUrl({ withFragments: true, withQueryParameters: true }) },
    { weight: 1, arbitrary: anyText.map((text) => `/${encoded(text)}`) },
    { weight: 1, arbitrary: latin1.map((bytes) => `/${bytes}`) },
  );
  return fc
    .record({
      method: fc.constantFrom(...oddMethods),
      target,
      fields: fc.array(fc.constantFrom(...oddFields), { maxLength: 2 }),
      body: fc.option(fc.constantFrom(...hostileBodies), { nil: undefined }),
      credential: fc.constantFrom(...credentialKinds),
    })
    .map(({ method, target, fields, body, credential }) => ({
      request: { method, target, headers: fields, body, chunked: false },
      credential,
      odd: 'x',
    }));
}
