import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Finds the keys of the client of a request (the requester), among which turns are shared fairly: the network first, and then, for example,
 * an account in it (`Work.parties`).
 */
type FindKeys = () => readonly [string, ...string[]];

const current = new AsyncLocalStorage<FindKeys>();

/** Runs the work of a request on behalf of its requester. */
export const workFor = (findKeys: FindKeys, work: () => void): void => current.run(findKeys, work);

/**
 * Runs work of the server that a request has begun, but that other requests wait for too, or that continues after the request. It must not
 * wait for the turns of that requester.
 */
export const asServer = <Result>(work: () => Result): Result => current.exit(work);

/** Returns the keys of the requester whose work runs. Undefined for work of the server itself, such as cleaning. */
export const findRequester = (): ReturnType<FindKeys> | undefined => current.getStore()?.();
