// How a test is declared: a failure tells what was expected and seen, and what the daemon said meanwhile.
import { test } from 'node:test';
import { startDaemon, stderrTails } from './daemon.mjs';
import { startReceiver } from './receiver.mjs';

/** Add the end of every running daemon's stderr to an error, once. */
function tell(error) {
  const tails = stderrTails();
  if (tails && error instanceof Error && !error.message.includes('--- stderr of')) {
    error.message += `\n${tails}`;
    error.stack += `\n${tails}`;
  }
  return error;
}

/** Stop a daemon and close a receiver, each whatever becomes of the other; for the `after` of a file with one world. */
export async function tearDown(daemon, receiver) {
  try {
    await daemon?.end();
  } catch (error) {
    throw tell(error);
  } finally {
    await receiver?.close();
  }
}

/** A test, named for what it proves. Failing, it carries the end of every running daemon's stderr. */
export function proves(name, options, fn) {
  if (typeof options === 'function') [options, fn] = [{}, options];
  test(name, { timeout: 60000, ...options }, async (t) => {
    try {
      await fn(t);
    } catch (error) {
      throw tell(error);
    }
  });
}

/**
 * A test with a world of its own: fn({daemon, receiver, to, t}) gets a daemon (of `daemonOptions`), a receiver and one
 * endpoint of it. At the end the daemon must stop cleanly.
 */
export function inWorld(name, daemonOptions, fn) {
  if (typeof daemonOptions === 'function') [daemonOptions, fn] = [{}, daemonOptions];
  proves(name, async (t) => {
    const receiver = await startReceiver();
    const daemon = await startDaemon(daemonOptions).catch(async (error) => {
      await receiver.close();
      throw error;
    });
    try {
      await fn({ daemon, receiver, to: receiver.endpoint('/hook'), t });
    } catch (error) {
      tell(error);
      await receiver.close();
      await daemon.end().catch(() => {});
      throw error;
    }
    try {
      await daemon.end();
    } finally {
      await receiver.close();
    }
  });
}
