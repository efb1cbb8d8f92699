/** `npm run test:long` sets it to `true`. */
export const longVariable = 'JANUA_TEST_LONG';

/** Whether this run also takes what shows no further rule: more seeds, more commands, and each pair of stores where one would do. */
export const isLong = process.env[longVariable] === 'true';
