/** The parameters of Janua's passwords (src/core/passwords/passwords.ts). The algorithm is argon2id, the library's default. */
export const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
