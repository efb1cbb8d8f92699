import { isMailAddress } from '../text/mail-address.ts';
import { bareHost } from '../text/networks.ts';
import { printable } from '../text/printable.ts';
import { isLoopbackHost } from './origin.ts';
import type { Settings } from './settings.ts';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /**
   * `always`: TLS from the start. `required`: STARTTLS, otherwise no mail is sent. `if-offered`: STARTTLS if the server offers it, with any
   * certificate, because the server is on this machine.
   */
  readonly tls: 'always' | 'required' | 'if-offered';
  readonly account?: { readonly user: string; readonly password: string };
}

/** Reads `smtp://USER:PASSWORD@HOST:PORT` or `smtps://…`. Undefined for any other text. */
export function parseMailUrl(text: string): MailServer | undefined {
  if (!/^smtps?:\/\//.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  const host = bareHost(hostname);
  const isBare = /^\/?$/.test(pathname) && search === '' && hash === '' && /^[\w.:-]+$/.test(host);
  if (!isBare || (username === '') !== (password === '')) return undefined;
  const account = readAccount(username, password);
  if (account === undefined) return undefined;
  const isAlways = protocol === 'smtps:';
  return {
    host,
    port: port === '' ? (isAlways ? 465 : 587) : Number(port),
    tls: isAlways ? 'always' : isLoopbackHost(host) ? 'if-offered' : 'required',
    ...(username !== '' && { account }),
  };
}

function readAccount(user: string, password: string): MailServer['account'] {
  try {
    return { user: decodeURIComponent(user), password: decodeURIComponent(password) };
  } catch {
    return undefined;
  }
}

export interface MailSender {
  readonly name: string;
  readonly address: string;
}

/** Reads `NAME <ADDRESS>` or an address alone. Undefined for any other text. */
export function parseMailFrom(text: string): MailSender | undefined {
  const [, name = '', bracketed] = /^([^<>"]*)<([^<>]*)>$/.exec(text.trim()) ?? [];
  const address = bracketed ?? text.trim();
  return isMailAddress(address) && printable(name) === name ? { name: name.trim(), address } : undefined;
}

export interface MailRoute {
  readonly server: MailServer;
  readonly from: MailSender;
}

export function findMailRoute({ MAIL_URL = '', MAIL_FROM = '', APP_NAME }: Settings): MailRoute | undefined {
  const server = parseMailUrl(MAIL_URL);
  const from = parseMailFrom(MAIL_FROM);
  return server && from && { server, from: { name: from.name || APP_NAME, address: from.address } };
}
