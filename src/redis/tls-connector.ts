import { connect } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/**
 * Connects by TLS. The client's own connector hears one error of a connection and no more; one that is closed amid the
 * handshake has a second, which nobody would hear and which would so end the process.
 */
export class TlsConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  /** The client gives its options, all of them. */
  constructor(options: unknown) {
    const given = options as RedisOptions & { disconnectTimeout: number };
    super(given.disconnectTimeout);
    this.#options = given;
  }

  async connect() {
    const { host, port, tls } = this.#options;
    this.connecting = true;
    this.stream = connect({ ...(host && { host }), ...(port && { port }), ...tls });
    this.stream.on('error', () => {});
    return this.stream;
  }
}
