/**
 * Stands around one call of a method.
 * @param call carries it out, and gives what the method gives: mostly a promise
 */
export type Around = (method: string, call: () => unknown) => unknown;

/** The same part with something around each of its methods. What is not a method stays as it is. */
export function watchCalls<Part extends object>(part: Part, around: Around): Part {
  const watched = Object.entries(part).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value];
    return [name, (...args: unknown[]) => around(name, () => value.apply(part, args))];
  });
  return Object.fromEntries(watched);
}
