/** The log. A part that writes only at some levels takes a `Pick` of it. */
export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (details: object, message: string) => void>>;
