// The daemon, and each block of memory that it may not get: build/tests/revhookd_faulty is revhookd with an allocator that
// refuses one block, to whatever part of the program or of a library asks for it (everywhere.c).
//
// The scheme: where a client's request is what needs the memory it may be refused (503, 500, or 429 where it is the connection) and nothing of it has
// happened; where the service itself cannot go on in a known state it stops, with a word that memory was short, and goes on
// where it stood at the next start. Never anything else: no other death, no answer that blames the client, no hanging. In
// every run what was acknowledged is there after the next start, and is delivered (S14, L7).
//
// One limit is not ours: h2o_config_init, at the start and before anything listens, does not look at what calloc gives it
// (its table of MIME types), and dies without a word. Those runs are counted apart.
//
// A run refuses the n-th block after the start of the program, or after the first request of a story; n goes over the
// blocks of a clean run, the early ones more densely. TEST_SCALE says how many runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemon, tempDir } from '../e2e/lib/daemon.mjs';
import fs from 'node:fs';
import { startReceiver } from '../e2e/lib/receiver.mjs';
import { event } from '../e2e/lib/shapes.mjs';
import { until, within } from '../e2e/lib/wait.mjs';

const RUNS = { quick: 12, plain: 40, full: 2200 }[process.env.TEST_SCALE ?? 'plain'];
const SEED = Number(process.env.FAULTS_SEED ?? 1);
const SHORT = /memory|allocat/i;

/** One API call; {died: true} if the daemon went away over it. */
async function call(daemon, name, body) {
  try {
    return await daemon.call(name, body, { timeoutMs: 20000 });
  } catch (error) {
    if (/timed out|not within/i.test(error.message)) throw error;
    return { died: true };
  }
}

/** Makes a call until it is answered with success or the daemon has died; a refusal must not blame the client. */
async function make(daemon, name, body) {
  for (let tries = 0; tries < 4; tries++) {
    const res = await call(daemon, name, body);
    if (res.died || res.status < 300) return res;
    assert.ok(res.status >= 500 || res.status === 429, `${name}: ${res.status} ${res.text}\n${daemon.stderrTail()}`);
    if (res.status === 500) assert.match(res.text, /internal_error/);
  }
  throw new Error(`${name} is still refused`);
}

/** What the client does. Notes the ids that were acknowledged. */
async function story(daemon, to, accepted) {
  const created = await make(daemon, 'webhooks.create', { url: to.url, event_types: ['work_created'] });
  if (created.died) return;
  for (let n = 0; n < 4; n++) {
    const res = await make(daemon, 'events.publish', n % 2 ? { events: [event(), event()] } : event());
    if (res.died) return;
    for (const one of res.body.events ?? [res.body.event]) accepted.add(one.id);
    if ((await make(daemon, 'clock.advance', { ms: 1000 })).died) return;
  }
  await make(daemon, 'deliveries.list', {});
  await make(daemon, 'webhooks.list', {});
  await make(daemon, 'webhooks.update', { id: created.body.webhook.id, secret: 'another secret of some length' });
}

/** Whether the block was refused to libh2o's set-up, which dies of it, before the daemon listens. */
function diedInLibh2o(daemon) {
  return daemon.stderr.includes('(h2o_config_init+') && !daemon.stderr.includes(' listening ');
}

/** How a daemon ended that did so by itself: only for want of memory, and saying so. */
function assertSaid(exit, daemon) {
  const how = `${JSON.stringify(exit)}\n${daemon.stderrTail()}`;
  const said = daemon.stderr.replace(/^(refused block|asked for|armed|aborted).*$|^.*\[0x.*$/gm, '');
  assert.ok(exit.signal === 'SIGABRT' || exit.code === 1 || exit.code === 2, `ended by something else: ${how}`);
  assert.match(said, SHORT, `ended without a word: ${how}`);
}

/** The next start has everything that was acknowledged, and delivers what is open. */
async function assertKept(daemon, to, accepted) {
  const next = new Daemon({ data: daemon.data });
  await next.start();
  try {
    const kept = new Set((await next.events()).map((one) => one.id));
    assert.deepEqual([...accepted].filter((id) => !kept.has(id)), [], 'acknowledged and lost');
    await next.advance(3600000);
    const open = (await next.deliveries()).filter((one) => !['delivered', 'failed', 'dropped'].includes(one.state));
    assert.deepEqual(open, [], 'still open');
  } finally {
    await next.end();
  }
}

/** One run. Answers {injected, died, blocks}. */
async function run(receiver, block, when) {
  const data = tempDir();
  const to = receiver.endpoint(`/${when}/${block}`);
  const daemon = new Daemon({ data, env: { FAIL_BLOCK: String(block), FAIL_WHEN: when } });
  const accepted = new Set();
  try {
    const started = await daemon.start().then(() => true, (error) => error);
    if (started === true) {
      if (when === 'signal') {
        daemon.child.kill('SIGUSR2');
        await until(() => daemon.stderr.includes('armed '), 5000, 'armed');
      }
      await story(daemon, to, accepted);
    }
    const exit = await Promise.race([daemon.exited, new Promise((resolve) => setImmediate(resolve, null))]);
    let died = exit;
    if (!exit) {
      daemon.child.kill('SIGTERM');
      const end = await within(daemon.exited, 10000, () => `its end\n${daemon.stderrTail()}`);
      died = end.code === 0 ? null : end;
    }
    const libh2o = died !== null && diedInLibh2o(daemon);
    if (died && !libh2o) assertSaid(died, daemon);
    if (!died) assert.equal(started, true, String(started));
    daemon.child = null;
    await assertKept(daemon, to, accepted);
    return {
      injected: daemon.stderr.includes('refused block'),
      died: died !== null,
      libh2o,
      blocks: Number(/asked for blocks: (\d+)/.exec(daemon.stderr)?.[1] ?? 0),
    };
  } catch (error) {
    error.message = `block ${block} after the ${when}: ${error.message}`;
    throw error;
  } finally {
    daemon.child?.kill('SIGKILL');
    fs.rmSync(data, { recursive: true, force: true });
  }
}

/** Which blocks: half of the runs in even steps over all of them, half in even ratios, so that the first have more. */
function choose(blocks) {
  const half = RUNS / 2;
  const shift = (SEED * 0.618034) % 1;
  const chosen = new Set();
  for (let n = 0; n < half; n++) {
    chosen.add(Math.floor((n + shift) * blocks / half) + 1);
    chosen.add(Math.floor(blocks ** ((n + shift) / half)));
  }
  return [...chosen].filter((block) => block <= blocks).sort((a, b) => a - b);
}

for (const when of ['start', 'signal']) {
  test(`one block refused after the ${when}`, { timeout: 3600000 }, async (t) => {
    const receiver = await startReceiver();
    try {
      const clean = await run(receiver, 0, when);
      assert.ok(!clean.died && !clean.injected && clean.blocks > 100, JSON.stringify(clean));
      const findings = [];
      let [runs, injected, died, libh2o] = [0, 0, 0, 0];
      for (const block of choose(clean.blocks)) {
        runs++;
        const one = await run(receiver, block, when).catch((error) => findings.push(error.message));
        injected += one.injected === true;
        died += one.died === true;
        libh2o += one.libh2o === true;
      }
      assert.equal(findings.length, 0, findings.map((one, n) => (n < 5 ? `${one}\n` : one.split('\n')[0])).join('\n'));
      assert.ok(injected > runs / 2, `${injected} of ${runs} injected`);
      t.diagnostic(`seed ${SEED}: ${injected} of ${runs} injected, of ${clean.blocks} blocks, 0 lost (${died - libh2o} stopped and said so, ${libh2o} died in h2o_config_init)`);
    } finally {
      await receiver.close();
    }
  });
}
