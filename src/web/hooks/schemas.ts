import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { Ajv } from 'ajv';
import type { FastifySerializerCompiler } from 'fastify';
import type { App } from '../types.ts';

/**
 * Validates requests and serializes responses by the routes' JSON Schemas. Input is never coerced: a number in place of a
 * string is an error.
 */
export function addSchemas(app: App): void {
  const ajv = new Ajv({ formats: { password: true }, allowUnionTypes: true });
  app.setValidatorCompiler(({ schema }) => ajv.compile(schema));
  app.setSerializerCompiler(SerializerSelector()({}, {}) as FastifySerializerCompiler<unknown>);
}
