import { Misconfiguration } from './misconfiguration.ts';

/** Explains why a server cannot listen if an operator can fix it. Otherwise gives the error itself. @param host as shown in the message */
export function listeningFault(error: unknown, host: string, port: number, otherPort: string): unknown {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return new Misconfiguration({ message: `Port ${port} is in use already.`, fix: otherPort });
    case 'EACCES':
      return new Misconfiguration({
        message: `Port ${port} may not be used by this account.`,
        fix: 'Choose one above 1023.',
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Misconfiguration(`${host} is not an address of this machine.`);
    default:
      return error;
  }
}
