import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifySerializerCompiler } from 'fastify';
import type { App } from '../types.ts';

const compileSerializer = SerializerSelector()({}, {}) as FastifySerializerCompiler<unknown>;

type Serialize = ReturnType<typeof compileSerializer>;

const compiled = new Map<string, Serialize>();

/** The schemas of input are for the OpenAPI document: each route reads what it takes. Those of output leave out all other fields. */
export function addSchemas(app: App): void {
  app.setValidatorCompiler(() => () => true);
  // Each schema once, because the two addresses of an action have the same, and at its first use, because all take 30 ms of the start.
  app.setSerializerCompiler((given) =>
    compiled.getOrInsertComputed(JSON.stringify(given.schema), () => {
      let serialize: Serialize | undefined;
      return (data) => {
        serialize ??= compileSerializer(given);
        return serialize(data);
      };
    }),
  );
}
