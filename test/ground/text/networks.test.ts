import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ipaddr from 'ipaddr.js';
import { createNetworkCheck, isPublicAddress, parseNetwork } from '../../../src/ground/text/networks.ts';

describe('the parser of networks', () => {
  for (const text of ['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '::ffff:10.0.0.0/104', '1.2.3.4/32'])
    test(`accepts ${text}`, () => assert.ok(parseNetwork(text)));
  for (const text of [
    '',
    'localhost',
    '10.0.0/8',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0.0/',
    '/8',
    '10.0.0.0/8/8',
    '010.0.0.1',
    '::ffff:10.0.0.0/8',
    'fe80::1%eth0',
    '10.0.0.0/-1',
    '1',
    '*',
  ])
    test(`refuses ${text || 'an empty text'}`, () => assert.equal(parseNetwork(text), undefined));
});

describe('the check of networks says that', () => {
  for (const [address, network, within] of [
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.2', '127.0.0.1', false],
    ['10.255.0.1', '10.0.0.0/8', true],
    ['11.0.0.1', '10.0.0.0/8', false],
    ['10.1.1.1', '::ffff:10.0.0.0/104', true],
    ['fd12::1', 'fd00::/8', true],
    ['fe12::1', 'fd00::/8', false],
    ['::1', '0.0.0.0/0', false],
  ] as const)
    test(`${address} is ${within ? 'within' : 'outside of'} ${network}`, () => {
      assert.equal(createNetworkCheck([network])(ipaddr.parse(address)), within);
    });
});

describe('a public address', () => {
  for (const text of ['8.8.8.8', '2606:4700::1', '::ffff:8.8.8.8', '64:ff9b::808:808'])
    test(`is ${text}`, () => assert.equal(isPublicAddress(text), true));
  for (const text of [
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '192.0.0.8', '192.168.0.1'],
    ...[
      '198.18.0.1',
      '203.0.113.1',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
      '::',
      '::1',
      '::127.0.0.1',
      '::7f00:1',
    ],
    ...['fe80::1', 'fe80::1%eth0', 'fec0::1', 'fc00::1', 'fd12::1', 'ff02::1', '100::1', '2001::1', '2001:db8::1'],
    ...['::ffff:10.0.0.1', '64:ff9b::a00:1', '64:ff9b:1::a00:1', '2002:a00:1::', '2002:808:808::', '4000::1', '', 'a'],
  ])
    test(`is not ${text || 'an empty text'}`, () => assert.equal(isPublicAddress(text), false));
});
