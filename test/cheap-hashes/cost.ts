import { currentCost } from '../../src/core/passwords/schemes/argon2.ts';

// The least that is not weak: a fifth of the work. Hashing took more than half of the time of the flow.
Object.assign(currentCost, { memoryCost: 7168, timeCost: 1 });
