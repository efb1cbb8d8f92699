import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

const root = new URL('../../src/', import.meta.url);

// Shows: V1.1.2 V1.2.1 V1.3.7 V3.4.3 S92
describe('a template', () => {
  for (const name of globSync('**/*.eta', { cwd: root })) {
    const template = readFileSync(new URL(name, root), 'utf8');

    test(`${name} escapes all its values, except the page within the layout`, () => {
      const raw = template.match(/<%[_-]?~[\s\S]*?%>/g) ?? [];
      assert.deepEqual(raw, name.endsWith('/layout.eta') ? ['<%~ it.body %>'] : []);
    });

    test(`${name} has no inline script or style, and loads nothing from another origin`, () => {
      assert.doesNotMatch(
        template,
        /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|(?:src|href|action)="(?:https?:)?\/\//i,
      );
    });
  }
});
