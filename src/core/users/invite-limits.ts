/** The page behind a link. */
export const joinPath = '/auth/join';

export const inviteLimits = { mostUses: 10_000, mostDays: 365, longestLabel: 100, longestGroups: 6400 } as const;
