import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { Ajv } from 'ajv';
import type { FastifySerializerCompiler } from 'fastify';
import type { App } from '../types.ts';

/**
 * Checks what is sent, and picks what is answered, by the routes' JSON Schemas. What was sent is never adapted: a number where a
 * text belongs is a mistake, not a text.
 */
export function addSchemas(app: App): void {
  const ajv = new Ajv({ formats: { password: true } });
  app.setValidatorCompiler(({ schema }) => ajv.compile(schema));
  app.setSerializerCompiler(SerializerSelector()({}, {}) as FastifySerializerCompiler<unknown>);
}
