/** What a password costs: as much as Janua's (src/passwords/passwords.ts), in argon2id, which is the algorithm by default. */
export const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
