/** A field of a parsed body, whatever the client sent. Undefined if the body is no object, or lacks the field. */
export const bodyField = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>)[name] : undefined;
