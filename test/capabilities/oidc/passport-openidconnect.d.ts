/** The package has no types. These are of what the test uses. */
declare module 'passport-openidconnect' {
  interface AppRequest {
    readonly query: Readonly<Record<string, string>>;
    readonly session: object;
  }

  /** As Passport uses it: it gets the ways to end a request, one of which it calls. */
  export class Strategy {
    constructor(
      options: Readonly<Record<string, unknown>>,
      verify: (issuer: string, profile: object, verified: (error: null, user: object) => void) => void,
    );
    redirect(address: string): void;
    success(user: object): void;
    fail(info: unknown): void;
    error(error: Error): void;
    authenticate(request: AppRequest): void;
  }
}
