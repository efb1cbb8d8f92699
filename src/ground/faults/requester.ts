import { AsyncLocalStorage } from 'node:async_hooks';

/** Finds the keys of a requester, that of the larger party first (`Work.parties`), such as a network and an account in it. */
type FindKeys = () => readonly [string, ...string[]];

const current = new AsyncLocalStorage<FindKeys>();

/** Runs work on behalf of a requester. */
export const workFor = (findKeys: FindKeys, work: () => void): void => current.run(findKeys, work);

/**
 * Runs work of the server that a request has begun and that others wait for, or that goes on after the request. It must not wait for
 * the turns of that requester.
 */
export const asServer = <Result>(work: () => Result): Result => current.exit(work);

/** Returns the keys of the requester whose work runs. Undefined for work of the server itself, such as cleaning. */
export const findRequester = (): ReturnType<FindKeys> | undefined => current.getStore()?.();
