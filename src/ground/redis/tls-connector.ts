import { connect } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/**
 * Connects with TLS. The client's own connector has no listener for the second error of a broken handshake, which would end the process.
 */
export class TlsConnector extends AbstractConnector {
  readonly #options: RedisOptions;

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
