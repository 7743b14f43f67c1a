// How a test is declared: a failure tells what was expected and seen, and what the daemon said meanwhile.
import { test } from 'node:test';
import { stderrTails } from './daemon.mjs';

/** A test, named for what it proves. Failing, it carries the end of every running daemon's stderr. */
export function proves(name, options, fn) {
  if (typeof options === 'function') [options, fn] = [{}, options];
  test(name, { timeout: 60000, ...options }, async (t) => {
    try {
      await fn(t);
    } catch (error) {
      const tails = stderrTails();
      if (tails && error instanceof Error && !error.message.includes('--- stderr of')) {
        error.message += `\n${tails}`;
        error.stack += `\n${tails}`;
      }
      throw error;
    }
  });
}
