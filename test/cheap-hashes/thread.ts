// A hashing thread whose hashes are cheap.
import './cost.ts';
import '../../src/passwords/hashing/thread.ts';
