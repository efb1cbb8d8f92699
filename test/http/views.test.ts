import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

const directory = new URL('../../src/http/views/', import.meta.url);

describe('a template [V1.1.2 V1.2.1 V1.3.7 V3.4.3 S92]', () => {
  for (const name of readdirSync(directory)) {
    const template = readFileSync(new URL(name, directory), 'utf8');

    test(`${name} escapes what it shows, but for the page that the layout frames`, () => {
      const raw = template.match(/<%[_-]?~[\s\S]*?%>/g) ?? [];
      assert.deepEqual(raw, name === 'layout.eta' ? ['<%~ it.body %>'] : []);
    });

    test(`${name} has no script or style of its own, and loads nothing from elsewhere`, () => {
      assert.doesNotMatch(
        template,
        /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|(?:src|href|action)="(?:https?:)?\/\//i,
      );
    });
  }
});
