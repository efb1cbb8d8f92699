// A hashing thread whose hashes are cheap.
import './cost.ts';
import '../../src/core/passwords/hashing/thread.ts';
