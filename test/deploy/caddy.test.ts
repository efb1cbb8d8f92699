import { testFronted } from './fronted.ts';

testFronted('caddy');
