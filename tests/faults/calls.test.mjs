// The daemon, `revhookd admin` and the command line, and each call that may fail: build/tests/revhookd_calls and revhook_calls
// are these programs with one call of their own code refused (calls.c, calls.def), of each kind the first ones.
//
// The scheme: what was interrupted or can be had later is done again, and nobody notices. Where a start, a command or a
// request cannot do without, it ends with a failure that says why, and nothing of it has happened that was not told. Where
// the service cannot go on in a known state it stops with a word, and at the next start everything acknowledged is there.
// Never anything else: no other death, no hanging, no success that is none.
//
// REVHOOKD=build/tests/revhookd_calls. TEST_SCALE says how many calls of each kind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BINARY, Daemon, runToEnd, startDaemon, tempDir } from '../e2e/lib/daemon.mjs';
import { startReceiver } from '../e2e/lib/receiver.mjs';
import { event } from '../e2e/lib/shapes.mjs';
import { within } from '../e2e/lib/wait.mjs';

const SCALE = process.env.TEST_SCALE ?? 'plain';
const CALLS = { quick: 1, plain: 3, full: 40 }[SCALE];
const MORE = { quick: 2, plain: 40, full: 40 }[SCALE];
/** Where more than the first are calls of their own: libcurl's options, each set once for a handle; lines of the log, and wakes. */
const VARIED = new Set(['curl_easy_setopt', 'write']);
const STEP = { quick: 7, plain: 1, full: 1 }[SCALE];
const COMMANDS = path.join(path.dirname(BINARY), 'revhook_calls');

/** What is done again, or done without. */
const GOES_ON = new Set(['send', 'recv', 'write', 'poll', 'epoll_wait', 'sem_wait', 'sigwait', 'accept4', 'h2o_evloop_socket_accept', 'prctl', 'syscall']);
const KINDS = [
  ...GOES_ON, 'mkdir', 'stat', 'fstat', 'flock', 'fsync', 'ftruncate', 'pwrite', 'rename', 'realpath', 'fdopen', 'open', 'socket', 'bind', 'listen',
  'getsockname', 'getnameinfo', 'getsockopt', 'shutdown', 'eventfd', 'epoll_create1', 'epoll_ctl', 'pthread_create', 'getifaddrs', 'RAND_bytes',
  'RAND_priv_bytes', 'EVP_CIPHER_CTX_new', 'EVP_CipherUpdate', 'EVP_MAC_init', 'X509_STORE_new', 'X509_STORE_set_default_paths',
  'curl_easy_init', 'curl_multi_init', 'curl_global_init', 'curl_easy_setopt',
];

const REFUSED = /^refused call (\w+)$/m;
const saidBy = (stderr) => stderr.replace(REFUSED, '').trim();

/** A program ended with a failure: by itself, with a word. */
function assertSaid({ code, signal, stderr }, what) {
  const how = `${what}: code ${code}, signal ${signal}\n${stderr}`;
  assert.ok(signal === 'SIGABRT' || code === 1 || code === 2, `ended by something else: ${how}`);
  assert.notEqual(saidBy(stderr), '', `ended without a word: ${how}`);
}

/** What a client does; true if everything was answered with success. Notes the ids that were acknowledged. */
async function story(daemon, to, accepted) {
  const call = (name, body) => daemon.call(name, body, { timeoutMs: 10000 }).catch((error) => {
    if (/timed out|not within/i.test(error.message)) throw error;
    return { status: 0 };
  });
  const created = await call('webhooks.create', { url: to.url, event_types: ['work_created'] });
  const published = await call('events.publish', event());
  if (published.status === 202) accepted.add(published.body.event.id);
  const moved = await call('clock.advance', { ms: 1000 });
  const listed = await call('deliveries.list', {});
  const { code } = await runToEnd(['admin', 'org', 'create', 'acme', '--data', daemon.data]);
  const statuses = [created, published, moved, listed].map((res) => res.status);
  for (const status of statuses) assert.ok(status === 0 || status < 300 || status >= 500, `a client is blamed: ${statuses}`);
  return statuses.every((status) => status >= 200 && status < 300) && code === 0;
}

/** One run of the daemon: {injected}. */
async function runDaemon(receiver, kind, n) {
  const what = `${kind}:${n}`;
  const to = receiver.endpoint(`/${kind}/${n}`);
  const sandbox = ['prctl', 'syscall'].includes(kind);
  const daemon = new Daemon({ data: path.join(tempDir(), 'data'), env: { FAIL_CALL: what }, args: ['--set', `sandbox=${sandbox}`] });
  const accepted = new Set();
  try {
    const started = await daemon.start().then(() => true, () => false);
    const good = started && (await story(daemon, to, accepted));
    const running = started && daemon.child.exitCode === null && daemon.child.signalCode === null;
    if (running) daemon.child.kill('SIGTERM');
    const end = await within(daemon.exited, 10000, () => `${what}: its end\n${daemon.stderrTail()}`);
    daemon.child = null;
    const injected = REFUSED.test(daemon.stderr);
    if (!started || !running || end.code !== 0) assertSaid({ ...end, stderr: daemon.stderr }, what);
    if (GOES_ON.has(kind) || !injected) assert.ok(good && end.code === 0, `${what}: not everything was done\n${daemon.stderrTail()}`);
    if (kind === 'syscall' && injected) assert.match(daemon.stderr, /confined.*(kernel|rule)/, `${what}: no reason given`);
    if (kind === 'pthread_create' && injected) assert.match(daemon.stderr, /no memory for it, or too many threads/, `${what}: no reason given`);
    if (injected && !GOES_ON.has(kind)) await assertKept(daemon, accepted);
    return injected;
  } catch (error) {
    error.message = `call ${what}: ${error.message}\n${daemon.stderrTail()}`;
    throw error;
  } finally {
    daemon.child?.kill('SIGKILL');
    fs.rmSync(path.dirname(daemon.data), { recursive: true, force: true });
  }
}

/** The next start has everything that was acknowledged. */
async function assertKept(daemon, accepted) {
  if (accepted.size === 0) return;
  const next = await startDaemon({ data: daemon.data });
  try {
    const kept = new Set((await next.events()).map((one) => one.id));
    assert.deepEqual([...accepted].filter((id) => !kept.has(id)), [], 'acknowledged and lost');
  } finally {
    await next.end();
  }
}

test('a call that is refused to the daemon', { timeout: 3600000 }, async (t) => {
  const receiver = await startReceiver();
  let [kinds, injected] = [0, 0];
  try {
    for (const kind of KINDS) {
      let n = 0;
      while (n < (VARIED.has(kind) ? MORE : CALLS) && (await runDaemon(receiver, kind, n + 1))) n++;
      kinds += n > 0;
      injected += n;
    }
    assert.ok(kinds > KINDS.length / 2, `${kinds} of ${KINDS.length} kinds of calls were made`);
    t.diagnostic(`${injected} of ${injected} injected, calls of the daemon of ${kinds} kinds, 0 lost`);
  } finally {
    await receiver.close();
  }
});

/** Run a program to its end, its n-th call refused. */
function runRefused(program, args, n) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^REVHOOK|_proxy$/i.test(key)));
  const child = spawn(program, args, { env: { ...env, FAIL_CALL: String(n) }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
  return within(ended, 10000, () => `${args.join(' ')}: its end, call ${n}\n${stderr}`).finally(() => child.kill('SIGKILL'));
}

/** Every call of a command refused, one in a run; `check` is told of each run that ended well. How many were refused. */
async function refuseEach(program, args, check) {
  for (let n = 1; ; n += STEP) {
    const result = await runRefused(program, args, n);
    const what = `${args.join(' ')}, call ${n} ${REFUSED.exec(result.stderr)?.[1] ?? 'none'}`;
    if (result.code === 0) await check(result, what);
    else assertSaid(result, what);
    if (!REFUSED.test(result.stderr)) {
      assert.equal(result.code, 0, `${what}: ${result.stderr}`);
      return Math.ceil((n - 1) / STEP);
    }
  }
}

test('a call that is refused to revhookd admin', { timeout: 600000 }, async (t) => {
  const daemon = await startDaemon();
  const alone = tempDir();
  let injected = 0;
  try {
    for (const data of [daemon.data, alone]) {
      const orgs = async () => (await runToEnd(['admin', 'org', 'list', '--data', data])).stdout;
      injected += await refuseEach(BINARY, ['admin', 'org', 'create', 'acme', '--data', data], async ({ stdout }, what) => {
        const [, id] = /^id +(\S+)$/m.exec(stdout) ?? assert.fail(`${what}: success without an id: ${stdout}`);
        assert.ok((await orgs()).includes(id), `${what}: told, and not there`);
      });
    }
    t.diagnostic(`${injected} of ${injected} injected, calls of revhookd admin`);
  } finally {
    await daemon.end();
    fs.rmSync(alone, { recursive: true, force: true });
  }
});

test('a call that is refused to revhook', { timeout: 600000 }, async (t) => {
  const receiver = await startReceiver();
  const daemon = await startDaemon();
  const lines = path.join(tempDir(), 'events');
  fs.writeFileSync(lines, `${JSON.stringify(event())}\n\n${JSON.stringify(event())}\n`);
  let injected = 0;
  try {
    const webhook = await daemon.activeWebhook(receiver.endpoint('/'), { headers: [{ name: 'A', value: 'b' }] });
    const [{ id }] = await daemon.publishAll([event(), event(), event()]);
    await daemon.settle();
    const [delivery] = await daemon.deliveries();
    const changes = ['--add-event-types', 'account_created', '--remove-event-types', 'tag_created', '--add-header', 'X: y', '--remove-header', 'A'];
    for (const words of [
      ['events', 'list', '--limit', '1', '--all'], ['webhooks', 'list', '--status', 'active'], ['deliveries', 'list', '--limit', '1'],
      ['events', 'get', id], ['webhooks', 'get', webhook.id], ['deliveries', 'get', delivery.id], ['deliveries', 'redeliver', delivery.id],
      ['webhooks', 'create', '--url', 'http://127.0.0.1:1/', '--event-types', 'work_created', '--header', 'A: b', '--signature', 'base64,key=base64'],
      ['webhooks', 'wait', webhook.id], ['publish', 'work_created', '--data', JSON.stringify(event().work_created)], ['publish', '--file', lines],
      ['trigger', 'tag_created', '--count', '2'], ['clock', 'get'], ['clock', 'advance', '1s'], ['webhooks', 'update', webhook.id, ...changes],
    ]) {
      const all = ['--url', daemon.url, ...words];
      // A delivery that is sent once more may have ended when it is told of, or not.
      const sizeOf = (stdout) => (words[1] === 'redeliver' ? /^delivery +don:/.test(stdout) : stdout.split('\n').length);
      const clean = await runRefused(COMMANDS, all, 0);
      assert.equal(clean.code, 0, clean.stderr);
      injected += await refuseEach(COMMANDS, all, ({ stdout }, what) => {
        assert.equal(sizeOf(stdout), sizeOf(clean.stdout), `${what}: success without all of the answer: ${stdout}`);
      });
    }
    t.diagnostic(`${injected} of ${injected} injected, calls of revhook`);
  } finally {
    await daemon.end();
    await receiver.close();
    fs.rmSync(path.dirname(lines), { recursive: true, force: true });
  }
});
