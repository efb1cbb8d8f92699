import { testFronted } from './fronted.ts';

testFronted('nginx');
