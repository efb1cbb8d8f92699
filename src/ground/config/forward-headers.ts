import { mayComeFrom, parseSource } from '../text/claim-source.ts';
import { originOf } from './origin.ts';

/** The headers that applications of all origins get. */
const usual = ['remote-user', 'remote-name', 'remote-groups', 'remote-email'];

/** Each answer has all headers. A proxy has room for a few kilobytes of them, and answers with an error if there are more. */
const [mostHeaders, longestName] = [16, 64];

/** Reads a header such as `https://wiki.example.com Remote-Department=claim:department`. Undefined for any other text. */
export function parseForwardHeader(text: string) {
  const [, address = '', sent = '', written = ''] = /^(\S+) +(remote(?:-[a-z\d]+)+)=(.+)$/i.exec(text) ?? [];
  const [origin, name] = [originOf(address), sent.toLowerCase()];
  // Commas separate the entries of a setting.
  const source = parseSource(written.startsWith('groups:') ? written.replaceAll('|', ',') : written);
  if (origin === undefined || source === undefined || name.length > longestName) return undefined;
  return { origin, name, claim: name.slice('remote-'.length).replaceAll('-', '_'), source };
}

/** @param origins of the applications that may get headers */
export function findHeaderFaults(texts: readonly string[], origins: ReadonlySet<string>): string[] {
  const headers = texts.map(parseForwardHeader);
  const read = headers.filter((header) => header !== undefined);
  const places = read.map(({ origin, name }) => `${origin} ${name}`);
  return [
    read.length < headers.length &&
      'be such as https://wiki.example.com Remote-Department=claim:department, separated by commas',
    read.some(({ origin }) => !origins.has(origin)) &&
      'be about PUBLIC_URL, or origins that FORWARD_AUTH_ORIGINS lists',
    read.some(({ name }) => usual.includes(name)) &&
      'name other headers than Remote-User, Remote-Name, Remote-Groups and Remote-Email, which are always sent',
    new Set(places).size < places.length && 'name each header of an origin once',
    new Set(read.map(({ name }) => name)).size > mostHeaders && `name at most ${mostHeaders} different headers`,
    read.some(({ claim, source }) => !mayComeFrom(claim, source)) &&
      'take Remote-Roles and Remote-Entitlements from groups or a constant, and Remote-Preferred-Username from address, handle or id',
  ].flatMap((fault) => (fault === false ? [] : [`FORWARD_AUTH_HEADERS must ${fault}.`]));
}
