import { type Check, ok, wrong } from '../../selftest/finding.ts';
import type { Settings } from '../ground/config/settings.ts';
import { readUpstreams } from '../ground/config/upstreams-file.ts';

/** Requests the discovery document of each identity provider in `UPSTREAMS_FILE`. @param timeout milliseconds that this may take */
export async function* checkUpstreams({ UPSTREAMS_FILE }: Settings, timeout: number): Check {
  const signal = AbortSignal.timeout(timeout);
  const asked = readUpstreams(UPSTREAMS_FILE).map(async ({ kind, name, issuer }) => {
    // GitHub has no discovery document, so its own address is requested.
    const address = kind === 'github' ? issuer : `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const answer = await fetch(address, { signal, method: kind === 'github' ? 'HEAD' : 'GET' }).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.ok
      ? ok(`The provider ${name} can be reached at ${issuer}.`)
      : wrong(
          `The provider ${name} cannot be reached at ${issuer}: ${answer ? `it answers ${answer.status}` : 'no answer'}.`,
          'Check issuer or tenant in UPSTREAMS_FILE, and that this machine may open connections to it.',
        );
  });
  yield* await Promise.all(asked);
}
