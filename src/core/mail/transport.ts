import type { MailRoute } from '../../ground/config/mail-server.ts';
import { printable } from '../../ground/text/printable.ts';
import type { RenderedMail } from './render.ts';

/** One mail to one recipient. */
export interface Message extends RenderedMail {
  readonly to: { readonly name: string; readonly address: string };
  /** The same id for each attempt, so that mail programs show a mail that was sent twice only once. */
  readonly id: string;
  readonly date: Date;
}

/** The reason why the server did not take a mail. */
export interface Failure {
  /**
   * `mail`: the server refuses this mail for now. `mail-for-good`: it refuses this mail at any time. `server`: it takes no mail for now.
   */
  readonly kind: 'mail' | 'mail-for-good' | 'server';
  /** The answer of the server, without links. At most 200 characters. */
  readonly reason: string;
}

/** A pool of connections to the mail server. */
export interface Transport {
  /** Sends a mail. Returns the failure, or undefined once the server has taken the mail. @param signal aborts the sending */
  send(message: Message, signal: AbortSignal): Promise<Failure | undefined>;
  /** Connects and logs in. Returns the failure, or undefined. */
  verify(): Promise<Failure | undefined>;
  /** Closes all connections at once. */
  close(): void;
}

/** How many connections send at the same time. */
export const connections = 5;

/** Limits for the steps of a connection, in milliseconds. nodemailer's own limits are minutes. */
const timeouts = {
  dnsTimeout: 5_000,
  connectionTimeout: 5_000,
  greetingTimeout: 5_000,
  socketTimeout: 10_000,
  socketCloseTimeout: 1_000,
};

const tls = {
  always: { secure: true },
  required: { secure: false, requireTLS: true },
  // The connection does not leave this machine. A mail server's own certificate there is usually self-signed.
  'if-offered': { secure: false, tls: { rejectUnauthorized: false } },
};

/** Loads nodemailer here, because it would make every start slower. Connects with the first mail. */
export async function openTransport({ server, from }: MailRoute): Promise<Transport> {
  const { createTransport } = await import('nodemailer');
  const { host, port, account } = server;
  const pool = createTransport({
    pool: true,
    maxConnections: connections,
    // nodemailer must not send a mail again by itself. By then, another process may hold the lease of the mails, and send it too.
    maxRequeues: 0,
    host,
    port,
    ...tls[server.tls],
    ...timeouts,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(account && { auth: { user: account.user, pass: account.password } }),
  });
  const domain = from.address.slice(from.address.indexOf('@') + 1);

  /** Returns the failure of a step, or undefined. */
  const attempt = (step: Promise<unknown>) =>
    step.then(
      () => undefined,
      (error) => failureOf(error, server.tls === 'always'),
    );
  return {
    send: ({ id, to, subject, text, html, date }, signal) =>
      attempt(
        pool.sendMail({
          from,
          to,
          subject,
          text,
          html,
          date,
          signal,
          messageId: `<${id}@${domain}>`,
          headers: { 'Auto-Submitted': 'auto-generated' },
        }),
      ),
    verify: () => attempt(pool.verify()),
    close: () => pool.close({ force: true }),
  };
}

/** The fields of nodemailer's errors: `command` is the SMTP command that failed, `originalCode` the code of Node's error. */
type SmtpError = { readonly [Field in 'code' | 'originalCode' | 'command' | 'response']?: string } & {
  readonly responseCode?: number;
};

/** Interprets an error of nodemailer. A refusal of the sender's own address or of the login concerns every mail. */
function failureOf(error: Error & SmtpError, isTlsFirst: boolean): Failure {
  const { code, originalCode, command, message, responseCode: status, response } = error;
  if (isTlsFirst && originalCode === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return { kind: 'server', reason: 'this port does not begin with TLS: use smtp:// instead of smtps://' };
  const isAboutMail = code === 'EMESSAGE' || (code === 'EENVELOPE' && command !== 'MAIL FROM');
  // 421: the server closes the connection (RFC 5321 3.8).
  if (!isAboutMail || status === 421) return { kind: 'server', reason: withoutLinks(message) };
  const reason = withoutLinks(response || message);
  // Without a status, nodemailer could not build the mail. 503 (bad sequence of commands) is not about the mail.
  const isForGood = status === undefined || (status >= 500 && status !== 503);
  return { kind: isForGood ? 'mail-for-good' : 'mail', reason };
}

/** Removes links, because a server may quote the mail, whose link is a secret. */
function withoutLinks(text: string): string {
  const oneLine = text.replaceAll(/https?:\S*|[\w-]{40,}/g, '…').replaceAll(/\s+/g, ' ');
  return printable(oneLine.slice(0, 200));
}
