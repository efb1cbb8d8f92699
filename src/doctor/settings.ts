import { type Check, ok, warning, wrong } from '../../selftest/finding.ts';
import { basic } from '../core/users/scopes.ts';
import { parseForwardHeader } from '../ground/config/forward-headers.ts';
import { parseForwardRule } from '../ground/config/forward-rules.ts';
import { isPlainBeyond, loadSettings, requireSafeExposure } from '../ground/config/load.ts';
import { type Settings, settingSchemas } from '../ground/config/settings.ts';
import { describeUnknown, findUnknownSettings } from '../ground/config/unknown-settings.ts';
import { type Fault, faultsOf } from '../ground/faults/misconfiguration.ts';
import { unixSockets } from '../ground/text/networks.ts';
import { findingsOf } from './fault-findings.ts';

export interface ReadSettings {
  /** Wrong settings are replaced by their defaults, so that the other checks can run. */
  readonly settings: Settings;
  readonly faulty: ReadonlySet<string>;
}

const exposure = ['HOST', 'PUBLIC_URL', 'ALLOW_PLAIN_HTTP'];

export async function* checkSettings(): Check<ReadSettings> {
  const faults = faultsOf(() => loadSettings());
  for (const fault of faults) {
    const [name = 'the setting'] = namesIn(fault);
    const { message, fix = `Correct ${name}, or unset it. See ./bin/janua serve --help.` } = fault;
    yield wrong(message, fix);
  }
  const faulty = new Set(faults.flatMap(namesIn));
  const sound = Object.entries(process.env).filter(([name]) => !faulty.has(name));
  const settings = loadSettings({}, Object.fromEntries(sound));
  if (!exposure.some((name) => faulty.has(name))) {
    const unsafe = faultsOf(() => requireSafeExposure(settings, 'serve'));
    yield* findingsOf(unsafe, 'Correct the setting: ./bin/janua serve --help');
    if (faults.length + unsafe.length === 0) yield ok('`janua serve` accepts all settings.');
  }
  for (const { message, fix } of findUnknownSettings().map(describeUnknown)) yield warning(message, fix);
  if (settings.TRUSTED_PROXIES.includes(unixSockets))
    yield warning(
      'TRUSTED_PROXIES names unix, which does not count, because `janua serve` listens on a port.',
      'Remove it, unless an app with Janua inside listens on a Unix socket only. Janua then trusts every program that may open the socket.',
    );
  yield* checkHostTokens(settings);
  for (const { origin, name } of settings.FORWARD_AUTH_HEADERS.flatMap((text) => parseForwardHeader(text) ?? []))
    yield ok(`${origin} gets the header ${name}, which its proxy must copy, and remove from what clients send.`);
  return { settings, faulty };
}

/** Lists the hosts that programs open by HTTP Basic, because their proxy must keep the tokens from the application. */
async function* checkHostTokens({ FORWARD_AUTH_RULES }: Settings): Check {
  const rules = FORWARD_AUTH_RULES.flatMap((text) => parseForwardRule(text) ?? []);
  const origins = new Set(rules.filter(({ groups }) => groups.includes(basic)).map(({ origin }) => origin));
  for (const origin of origins)
    yield isPlainBeyond(origin)
      ? warning(
          `Tokens for ${origin} cross the network in the clear, because FORWARD_AUTH_RULES takes them there by HTTP Basic over plain http.`,
          'Use https there, or remove basic from the rule.',
        )
      : ok(`Programs open ${origin} by HTTP Basic, with a token for it alone, which its proxy must drop.`);
}

/** Finds the settings that a fault names. The message begins with the setting at fault, and may name another that it needs. */
const namesIn = ({ message }: Fault) => (message.match(/[A-Z_]+/g) ?? []).filter((name) => name in settingSchemas);
