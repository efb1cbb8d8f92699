import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { Ajv } from 'ajv';
import type { FastifySerializerCompiler } from 'fastify';
import type { App } from '../types.ts';

const ajv = new Ajv({ formats: { password: true }, allowUnionTypes: true });
const compileSerializer = SerializerSelector()({}, {}) as FastifySerializerCompiler<unknown>;

/** Compiles each schema once, because that takes milliseconds and the two addresses of an action have the same schemas. */
function once<Given extends { readonly schema: unknown }, Compiled>(compile: (given: Given) => Compiled) {
  const compiled = new Map<string, Compiled>();
  return (given: Given): Compiled => {
    const text = JSON.stringify(given.schema);
    const known = compiled.get(text) ?? compile(given);
    compiled.set(text, known);
    return known;
  };
}

const validators = once(({ schema }: { schema: object }) => ajv.compile(schema));
const serializers = once(compileSerializer);

/** Input is never coerced: a number in place of a string is an error. */
export function addSchemas(app: App): void {
  app.setValidatorCompiler(validators);
  app.setSerializerCompiler(serializers);
}
