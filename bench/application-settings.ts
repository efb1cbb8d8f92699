/** A client, and the session of its user. */
export interface Application {
  readonly port: number;
  readonly clientId: string;
  readonly secret: string;
  /** The field of the session's cookie. */
  readonly cookie: string;
}

export const redirectUri = 'https://app.example.com/callback';
