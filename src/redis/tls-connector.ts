import { connect } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/**
 * Connects by TLS. The client's own connector listens only for the first error of a connection. A connection that closes during the
 * handshake emits a second error, which would end the process.
 */
export class TlsConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  /** The client passes all of its options. */
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
