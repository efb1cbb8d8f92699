import { NoAnswer } from './client.ts';
import { type Finding, wrong } from './finding.ts';

interface Explanation {
  readonly codes: readonly string[];
  readonly reason: string;
  readonly fix: string;
}

const explanations: readonly Explanation[] = [
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    reason: 'the host name is not known',
    fix: 'Check the address in --against, and the DNS record of its host.',
  },
  {
    codes: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'],
    reason: 'no program listens there',
    fix: 'Start the proxy and Janua. Check the port in --against, and firewalls.',
  },
  {
    codes: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    reason: 'its certificate is expired or not valid yet',
    fix: 'Renew the certificate, and reload the proxy.',
  },
  {
    codes: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    reason: 'its certificate is for another host',
    fix: 'Give the proxy a certificate for the host in --against.',
  },
  {
    codes: ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_GET_ISSUER_CERT'],
    reason: 'its certificate is not trusted',
    fix: 'Let the proxy send the whole certificate chain. For an authority of your own: --ca FILE',
  },
  {
    codes: ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
    reason: 'its certificate is signed by an unknown authority',
    fix: 'For an authority of your own: --ca FILE. Otherwise use a certificate that browsers trust.',
  },
  {
    codes: ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'],
    reason: 'it offers no safe version of TLS',
    fix: 'Check that the port serves HTTPS, with TLS 1.2 or newer.',
  },
];

/** Explains an error of a check in words, without a stack. */
export function explain(error: unknown): Finding {
  if (!(error instanceof NoAnswer)) {
    const message = error instanceof Error ? error.message : String(error);
    return wrong(`The check failed: ${message}.`, 'Run it again. If it fails again, please report it.');
  }
  const { route, code, message } = error;
  const known = explanations.find(({ codes }) => codes.includes(code));
  return wrong(
    `${route} gets no response: ${known?.reason ?? message}.`,
    known?.fix ?? 'See the logs of the proxy and of Janua.',
  );
}
