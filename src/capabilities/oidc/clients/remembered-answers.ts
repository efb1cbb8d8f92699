/** The result of a fetch: its response, or its error. */
export type FetchedAnswer =
  | { readonly text: string; readonly headers: [string, string][] }
  | { readonly error: unknown };

interface Remembered {
  readonly answer: FetchedAnswer;
  /** The network whose request made Janua fetch it. */
  readonly party: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/**
 * Most remembered results, their bytes in total, and milliseconds for which each is remembered. The limits exist because strangers choose
 * the addresses that Janua fetches.
 */
export const rememberedLimits = { answers: 1_000, bytes: 4 * 1024 * 1024, milliseconds: 30_000 };

/** Estimated bytes of an entry besides its texts. An error has a stack. */
const entryBytes = 2_048;

/** Remembers the results of fetches for a moment. When it is full, it drops the oldest result of the network with the most bytes. */
export function createRememberedAnswers(now: () => number, { answers, bytes, milliseconds } = rememberedLimits) {
  const remembered = new Map<string, Remembered>();
  let total = 0;

  function forget(address: string): void {
    total -= remembered.get(address)?.bytes ?? 0;
    remembered.delete(address);
  }

  function forgetOne(): void {
    const held = new Map<string, number>();
    for (const one of remembered.values()) held.set(one.party, (held.get(one.party) ?? 0) + one.bytes);
    const [[largest] = []] = [...held].sort(([, one], [, other]) => other - one);
    const [oldest] = [...remembered].find(([, { party }]) => party === largest) ?? [];
    if (oldest !== undefined) forget(oldest);
  }

  return {
    find(address: string): FetchedAnswer | undefined {
      const found = remembered.get(address);
      return found !== undefined && now() < found.until ? found.answer : undefined;
    },

    keep(address: string, party: string, answer: FetchedAnswer): void {
      const texts = 'text' in answer ? [answer.text, ...answer.headers.flat()] : [];
      const size = [address, ...texts].reduce((sum, text) => sum + Buffer.byteLength(text), entryBytes);
      forget(address);
      remembered.set(address, { answer, party, bytes: size, until: now() + milliseconds });
      total += size;
      while (remembered.size > answers || total > bytes) forgetOne();
    },
  };
}
