/**
 * Names this command in a text as the operator has called it. `janua-admin` (`deploy/`) says its name: without the settings of the service,
 * `npx janua` would act on another database.
 */
export const sayCommand = (text: string): string =>
  text.replaceAll('npx janua', process.env.JANUA_COMMAND ?? 'npx janua');
