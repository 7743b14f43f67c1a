// A full disk: the data folder is a file system of 3 MB in a mount namespace of its own, which the test fills to the last
// byte and empties again. Intake answers 503 and stores nothing; nothing that was acknowledged is lost, not by a kill
// either; outcomes of attempts that cannot be written are kept until they can; the service resumes by itself (L7, S14).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Daemon, tempDir } from './lib/daemon.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { event } from './lib/shapes.mjs';
import { proves } from './lib/suite.mjs';
import { until, within } from './lib/wait.mjs';

const NAMESPACE = ['--user', '--map-root-user', '--mount'];
const MOUNT = 'mount -t tmpfs -o size=3m,mode=0700 tmpfs "$1" && echo mounted && exec cat';
const ROUNDS = { quick: 1, plain: 3, full: 10 }[process.env.TEST_SCALE ?? 'plain'];

/** Why there can be no file system of its own here; undefined if there can. */
function obstacle() {
  if (spawnSync('nsenter', ['-V']).error) return 'there is no nsenter';
  const tried = spawnSync('unshare', [...NAMESPACE, 'sh', '-c', MOUNT, 'sh', '/mnt'], { input: '' });
  return tried.status === 0 ? undefined : `no file system of its own: ${tried.error?.message ?? tried.stderr}`;
}

/** A small file system on `folder`, seen by who enters the namespace of `pid`; it is gone when `close` is called. */
async function smallDisk(folder) {
  const holder = spawn('unshare', [...NAMESPACE, 'sh', '-c', MOUNT, 'sh', folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  await within(new Promise((resolve) => holder.stdout.once('data', resolve)), 10000, 'mounted');
  const filler = path.join('/proc', String(holder.pid), 'root', folder, 'filler');
  return {
    under: ['nsenter', '--user', '--mount', '--preserve-credentials', '--target', String(holder.pid), '--'],
    /** Takes every byte that is left. */
    fill() {
      const file = fs.openSync(filler, 'a');
      try {
        for (const bytes of [65536, 4096]) {
          for (;;) fs.writeSync(file, Buffer.alloc(bytes));
        }
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
      } finally {
        fs.closeSync(file);
      }
    },
    free: () => fs.unlinkSync(filler),
    close: () => holder.stdin.end(),
  };
}

const large = () => event('work_created', { pad: 'x'.repeat(20000) });

/** Publishes until it is refused, at most 500 times; then ten times more, and each must be refused. */
async function publishUntilFull(daemon, accepted) {
  let refused = 0;
  for (let n = 0; n < 500 && refused < 11; n++) {
    const res = await daemon.call('events.publish', large());
    if (res.status === 202) {
      assert.equal(refused, 0, 'accepted while the disk is full');
      accepted.add(res.body.event.id);
      continue;
    }
    assert.equal(res.status, 503, res.text);
    assert.equal(res.body.type, 'service_unavailable', res.text);
    refused++;
  }
  assert.equal(refused, 11, 'the disk was never full');
  return refused;
}

/** Exactly what was acknowledged is there. */
async function assertKept(daemon, accepted) {
  const kept = new Set((await daemon.events()).map((one) => one.id));
  assert.deepEqual([...accepted].filter((id) => !kept.has(id)), [], 'acknowledged and lost');
  assert.deepEqual([...kept].filter((id) => !accepted.has(id)), [], 'refused and there');
}

/** Killed while the disk is full, it starts, or says why it cannot and does when there is space again. */
async function startOnFullDisk(daemon) {
  await daemon.kill();
  try {
    await daemon.start();
  } catch {
    daemon.child = null;
    assert.match(daemon.stderr, /revhookd: [^\n]*(full|space|disk)/i);
  }
}

async function story(daemon, disk, to, t) {
  const accepted = new Set();
  let refused = 0;
  await daemon.activeWebhook(to);
  for (let round = 0; round < ROUNDS; round++) {
    to.onEvent = { hold: true };
    accepted.add((await daemon.publish(event())).id);
    await to.waitHeld(1);
    to.onEvent = {};
    disk.fill();
    refused += await publishUntilFull(daemon, accepted);
    for (const held of to.held.splice(0)) held.answer({}); // acknowledged while that cannot be written
    await assertKept(daemon, accepted);
    if (round % 2 === 1) await startOnFullDisk(daemon);
    disk.free();
    if (!daemon.child) await daemon.start();
    const res = await until(async () => {
      const again = await daemon.call('events.publish', event());
      return again.status === 202 && again;
    }, 10000, 'accepted again when there is space');
    accepted.add(res.body.event.id);
    await daemon.advance(3600000);
    await assertKept(daemon, accepted);
  }
  const states = new Set((await daemon.deliveries()).map((one) => one.state));
  assert.deepEqual([...states], ['delivered']);
  await daemon.restart({ kill: true });
  await assertKept(daemon, accepted);
  t.diagnostic(`${refused} of ${refused} refused with 503, ${accepted.size} acknowledged, 0 lost, in ${ROUNDS} rounds`);
}

proves('a full disk: 503, nothing acknowledged is lost, and it goes on by itself', { timeout: 120000, skip: obstacle() }, async (t) => {
  const data = tempDir();
  const receiver = await startReceiver();
  const disk = await smallDisk(data);
  const daemon = new Daemon({ data, under: disk.under });
  try {
    await daemon.start();
    await story(daemon, disk, receiver.endpoint('/hook'), t);
  } finally {
    await daemon.end();
    await receiver.close();
    disk.close();
    fs.rmSync(data, { recursive: true, force: true });
  }
});
