/**
 * Replaces members of the library.
 * @throws {TypeError} if the library has no such member any more
 */
export function replace(target: object, members: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(members)) {
    if (!(name in target)) throw new TypeError(`oidc-provider has no member ${name}`);
    Object.assign(target, { [name]: value });
  }
}
