export type GuardedFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;
