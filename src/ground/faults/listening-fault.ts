import { Misconfiguration } from './misconfiguration.ts';

/**
 * Explains why a server cannot listen, if an operator can fix it. Otherwise returns the error itself.
 * @param host as shown in the message
 * @param otherPort tells the operator how to choose another port
 */
export function listeningFault(error: unknown, host: string, port: number, otherPort: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE')
    return new Misconfiguration({ message: `Port ${port} is in use already.`, fix: otherPort });
  if (code === 'EACCES')
    return new Misconfiguration({ message: `This account may not use port ${port}.`, fix: 'Choose one above 1023.' });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new Misconfiguration(`${host} is not an address of this machine.`);
  return error;
}
