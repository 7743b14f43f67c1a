// Bounded waiting: a test waits for a condition, never for an amount of time.

/** Hand the event loop back for a moment. Only `until` uses it, between two looks at a condition. */
const tick = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Wait until fn() (may be async) returns something truthy and return that. After `ms` without it the
 * wait fails with `what`, which may be a function so that it can tell what was seen instead.
 */
export async function until(fn, ms, what) {
  const deadline = performance.now() + ms;
  let pause = 1;
  for (;;) {
    const value = await fn();
    if (value) return value;
    if (performance.now() >= deadline) {
      const told = typeof what === 'function' ? await what() : what;
      throw new Error(`waited ${ms} ms in vain for: ${told ?? fn}`);
    }
    await tick(pause);
    pause = Math.min(pause * 2, 20);
  }
}

/** A promise with its handles outside, as a gate that one side opens and the other waits at. */
export function gate() {
  const self = {};
  self.promise = new Promise((resolve, reject) => Object.assign(self, { open: resolve, fail: reject }));
  return self;
}

/** The promise, or an error that says `what` (text, or a function of it) did not happen in `ms`. */
export async function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
