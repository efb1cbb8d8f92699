import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import { selftest as runSelftest } from '../../selftest/selftest.ts';
import { mayNotRead } from '../ground/config/account-name.ts';
import { originOf } from '../ground/config/origin.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { createFindingsPrinter } from './findings.ts';
import { readPassword } from './read-password.ts';

interface SelftestOptions {
  readonly against: string;
  readonly user?: string;
  readonly ca?: string;
  readonly httpPort: number;
  /** Seconds that a request may take. */
  readonly timeout: number;
  readonly throttle?: boolean;
  readonly json?: boolean;
}

/** Tests a server. Reads no settings, because the server may run on another machine. @returns whether nothing is wrong */
export async function selftest(given: SelftestOptions): Promise<boolean> {
  const { against, user, ca, json = false, throttle = false } = given;
  const origin = originOf(against);
  if (origin === undefined)
    throw new Misconfiguration(
      '--against must be an http or https address without a path, such as https://auth.example.com.',
    );
  const authorities = [...getCACertificates('default'), ...(ca === undefined ? [] : [await readAuthority(ca)])];
  const account = user === undefined ? undefined : { username: user, password: await requirePassword() };

  // The first signal ends the test's own sessions, then the test. The second signal ends the test at once.
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const { print, conclude } = createFindingsPrinter(json);
  const plainPort = given.httpPort;
  const timeoutMilliseconds = given.timeout * 1000;
  const count = await runSelftest(
    { origin, throttle, authorities, account, plainPort, timeoutMilliseconds, signal: stopped.signal },
    print,
  );
  process.off('SIGINT', stop).off('SIGTERM', stop);
  const isRight = conclude();
  if (!json)
    process.stdout.write(
      `${stopped.signal.aborted ? 'Stopped after' : 'It took'} ${count} ${count === 1 ? 'request' : 'requests'}.\n`,
    );
  return isRight && !stopped.signal.aborted;
}

async function requirePassword(): Promise<string> {
  const password = await readPassword();
  if (password === '') throw new Misconfiguration('Give the password of --user at the terminal or on standard input.');
  return password;
}

/** Reads certificates. Requires that there is one, because Node silently accepts a file without certificates. */
async function readAuthority(path: string): Promise<string> {
  const pem = await readFile(path, 'utf8').catch(({ code }: NodeJS.ErrnoException) => {
    if (code === 'EACCES') throw new Misconfiguration(`--ca: ${mayNotRead(path)}`);
    return '';
  });
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new Misconfiguration('--ca must be a readable file with certificates in PEM.');
  return pem;
}
