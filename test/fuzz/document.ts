import type { App } from '../../src/web/types.ts';

/** The parts of the server's OpenAPI document that describe requests and answers. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, SecurityScheme>> };
}

export interface DescribedOperation {
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Response>>;
  /** The accepted credentials. Empty or missing if none is accepted. With an empty member, none is needed. */
  readonly security?: readonly object[];
}

export interface Operation extends DescribedOperation {
  readonly method: string;
  readonly path: string;
  readonly url: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface Media {
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface Response {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, Media>>;
}

export interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly additionalProperties?: boolean;
}

export interface SecurityScheme {
  readonly type: string;
  readonly in?: string;
  readonly name?: string;
}

export const needsCredentials = ({ security = [] }: DescribedOperation) =>
  security.length > 0 && security.every((accepted) => Object.keys(accepted).length > 0);

export async function readDocument(app: App): Promise<{ document: Document; operations: Operation[] }> {
  const document: Document = parseDocument((await app.inject('/openapi.json')).body);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      /** As Fastify writes it. */
      url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
      path: withExamples(path, operation),
      method: method.toUpperCase(),
    })),
  );
  return { document, operations };
}

/** With examples in place of the parts that vary, such as `{id}`. */
const withExamples = (path: string, { parameters = [] }: DescribedOperation) =>
  path.replace(/\{(\w+)\}/g, (_, part) => String(parameters.find(({ name }) => name === part)?.example));

/** Parses the document, with the schema itself in place of each reference to it. */
export function parseDocument(json: string) {
  const { schemas } = JSON.parse(json).components;
  const nameOf = (reference: unknown) => String(reference).replace('#/components/schemas/', '');
  return JSON.parse(json, (_key, value) => (value?.$ref === undefined ? value : schemas[nameOf(value.$ref)]));
}
