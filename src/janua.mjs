// The library in the package, for `import`. Older Node stops at the syntax of a module before it runs any, so this file looks at the
// version first.
import { findOldNode } from '../bin/needed-node.cjs';

const fault = findOldNode();
if (fault !== undefined) throw new Error(fault);

export const { ChangeRefused, createJanua, Misconfiguration, Unavailable } = await import('./janua.ts');
