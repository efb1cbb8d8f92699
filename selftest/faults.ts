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
    reason: 'the name of the host is not known',
    fix: 'Look at the address in --against, and at the DNS record of its host.',
  },
  {
    codes: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'],
    reason: 'nothing listens there',
    fix: 'Start the proxy and Janua, and look at the port in --against and at firewalls.',
  },
  {
    codes: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    reason: 'its certificate is not valid now',
    fix: 'Renew the certificate, and have the proxy read it again.',
  },
  {
    codes: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    reason: 'its certificate is for another host',
    fix: 'Give the proxy a certificate for the host in --against.',
  },
  {
    codes: ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_GET_ISSUER_CERT'],
    reason: 'its certificate is not trusted',
    fix: 'Have the proxy send the whole chain of certificates; where the authority is your own: --ca FILE',
  },
  {
    codes: ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
    reason: 'its certificate is signed by an authority that is not known',
    fix: 'Where the authority is your own: --ca FILE. Else: a certificate that browsers trust.',
  },
  {
    codes: ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'],
    reason: 'it speaks no TLS that is safe',
    fix: 'Look whether HTTPS is served at that port, with TLS 1.2 or newer.',
  },
];

/** Explains an error of a check in words, without a stack. */
export function explain(error: unknown): Finding {
  if (!(error instanceof NoAnswer)) {
    const message = error instanceof Error ? error.message : String(error);
    return wrong(`It could not be looked at: ${message}.`, 'Look again; if it stays so, please report it.');
  }
  const { route, code, message } = error;
  const known = explanations.find(({ codes }) => codes.includes(code));
  return wrong(
    `${route} has no answer: ${known?.reason ?? message}.`,
    known?.fix ?? 'Look into the logs of the proxy and of Janua.',
  );
}
