/** The log, for parts that write to it. A part that writes at some levels only takes a `Pick` of it. */
export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (details: object, message: string) => void>>;
