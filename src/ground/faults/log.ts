/** The log. A part of the server that writes only at some levels takes a `Pick` of this type. */
export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (details: object, message: string) => void>>;
