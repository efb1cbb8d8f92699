import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifySerializerCompiler } from 'fastify';
import type { App } from '../types.ts';

const compileSerializer = SerializerSelector()({}, {}) as FastifySerializerCompiler<unknown>;

const compiled = new Map<string, ReturnType<typeof compileSerializer>>();

/** The schemas of input are for the OpenAPI document: each route reads what it takes. Those of output leave out all other fields. */
export function addSchemas(app: App): void {
  app.setValidatorCompiler(() => () => true);
  // Each schema once, because that takes milliseconds, and the two addresses of an action have the same schemas.
  app.setSerializerCompiler((given) => {
    const text = JSON.stringify(given.schema);
    const known = compiled.get(text) ?? compileSerializer(given);
    compiled.set(text, known);
    return known;
  });
}
