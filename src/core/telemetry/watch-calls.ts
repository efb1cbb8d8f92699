/** Wraps one call of a method. @param call runs the method and returns its result, usually a promise */
export type Around = (method: string, call: () => unknown) => unknown;

export function watchCalls<Part extends object>(part: Part, around: Around): Part {
  const watched = Object.entries(part).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value];
    return [name, (...args: unknown[]) => around(name, () => value.apply(part, args))];
  });
  return Object.fromEntries(watched);
}
