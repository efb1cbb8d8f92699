import { originOf } from './origin.ts';

/** Reads a rule such as `https://app.example.com/admin=admins|ops`. Undefined for any other text. */
export function parseForwardRule(text: string) {
  const [, address = '', names = ''] = /^(\S+)=([a-z0-9][a-z0-9|-]*)$/.exec(text) ?? [];
  const [, base = '', path = ''] = /^(https?:\/\/[^/]+)((?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)*)\/?$/.exec(address) ?? [];
  const origin = originOf(base);
  const groups = names.split('|');
  return origin === undefined || groups.includes('') ? undefined : { origin, path: path.toLowerCase(), groups };
}
