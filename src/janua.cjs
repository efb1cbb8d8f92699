// The library in the package. Older Node stops at the syntax of a module before it runs any, so this file looks at the version first.
const { findOldNode } = require('../bin/needed-node.cjs');

const fault = findOldNode();
if (fault !== undefined) throw new Error(fault);

const { ChangeRefused, createJanua, Misconfiguration, Unavailable } = require('./janua.ts');
exports.ChangeRefused = ChangeRefused;
exports.createJanua = createJanua;
exports.Misconfiguration = Misconfiguration;
exports.Unavailable = Unavailable;
