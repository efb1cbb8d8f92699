import { connect } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/** The client's own connector has no listener for a second error, which a broken handshake emits: it would end the process. */
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
