import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifySerializerCompiler } from 'fastify';
import type { App } from '../types.ts';

const compileSerializer = SerializerSelector()({}, {}) as FastifySerializerCompiler<unknown>;

type Serialize = ReturnType<typeof compileSerializer>;

const compiled = new Map<string, Serialize>();

/**
 * Input schemas are only for the OpenAPI document, because each route checks its own input. Output schemas remove all fields that they do
 * not name.
 */
export function addSchemas(app: App): void {
  app.setValidatorCompiler(() => () => true);
  // Each schema is compiled once, because the two addresses of an action have the same, and at its first use, because compiling all takes
  // 30 ms.
  app.setSerializerCompiler((given) => {
    const key = JSON.stringify(given.schema);
    const known = compiled.get(key);
    if (known !== undefined) return known;
    let serialize: Serialize | undefined;
    const serializeLater: Serialize = (data) => {
      serialize ??= compileSerializer(given);
      return serialize(data);
    };
    compiled.set(key, serializeLater);
    return serializeLater;
  });
}
