// Read by each Node, so this file has the oldest kind of JavaScript.

/** Gives the sentence for a Node that is too old for Janua. Undefined for any other. */
exports.findOldNode = () =>
  Number(process.versions.node.split('.')[0]) < 24
    ? `Janua needs Node 24 or newer, and is tested on 24 and 26. This is ${process.version}.`
    : undefined;
