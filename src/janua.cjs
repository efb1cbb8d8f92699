// The library in the package, for `require`.
const { findOldNode } = require('../bin/needed-node.cjs');

const fault = findOldNode();
if (fault !== undefined) throw new Error(fault);

const { ChangeRefused, createJanua, Misconfiguration, Unavailable } = require('./janua.ts');
exports.ChangeRefused = ChangeRefused;
exports.createJanua = createJanua;
exports.Misconfiguration = Misconfiguration;
exports.Unavailable = Unavailable;
