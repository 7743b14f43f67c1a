// Secrets at rest and in what the service says: the key file and what is wrong with it, rotation, a store from before,
// and canaries that must not be found anywhere.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BINARY, runToEnd, startDaemon, tempDir } from './lib/daemon.mjs';
import { event, events } from './lib/shapes.mjs';
import { inWorld, proves } from './lib/suite.mjs';
import { until } from './lib/wait.mjs';

const SECRET = 'canary-secret-of-a-webhook';
const HEADER = 'canary-header-value';
const fields = { secret: SECRET, headers: [{ name: 'X-Api-Key', value: HEADER }] };

const keyFile = (daemon) => path.join(daemon.data, 'revhook.key');
const versions = (file) => fs.readFileSync(file, 'utf8').split('\n').filter((line) => /^\d/.test(line)).map((line) => Number(line.split(' ')[0]));

/** How often the words stand in the files of the data directory, but for the key file. */
function inFiles(data, words) {
  const found = [];
  for (const name of fs.readdirSync(data).filter((one) => !one.endsWith('.sock'))) {
    const bytes = fs.readFileSync(path.join(data, name));
    for (const word of words) if (bytes.includes(word)) found.push(`${word} in ${name}`);
  }
  return found;
}

function admin(daemon, ...args) {
  return spawnSync(BINARY, ['admin', ...args, '--data', daemon.data], { encoding: 'utf8' });
}

/** A start that must fail: exit status 1, nothing on stdout, a sentence on stderr. */
async function refused(daemon, pattern, set = []) {
  const { code, stdout, stderr } = await runToEnd(['--dev', '--listen', '127.0.0.1:0', '--data', daemon.data, ...set.flatMap((one) => ['--set', one])]);
  assert.deepEqual([code, stdout], [1, ''], stderr);
  assert.match(stderr, pattern);
}

inWorld('the key is made at the first start, readable by its owner alone; nothing in the store is', async ({ daemon, to }) => {
  const { mode } = fs.statSync(keyFile(daemon));
  assert.equal(mode & 0o777, 0o600);
  assert.deepEqual(versions(keyFile(daemon)), [1]);
  const webhook = await daemon.activeWebhook(to, fields);
  assert.equal(webhook.secret, SECRET);
  assert.deepEqual(webhook.headers, [{ name: 'X-Api-Key', value: HEADER }]);
  await daemon.publish(event());
  await daemon.settle();
  assert.ok(to.events()[0].isSignedWith(SECRET));
  assert.equal(to.events()[0].headers['x-api-key'], HEADER);
  assert.deepEqual(inFiles(daemon.data, [SECRET, HEADER]), []);
  await daemon.restart({ kill: true });
  assert.deepEqual(inFiles(daemon.data, [SECRET, HEADER]), []);
  assert.equal((await daemon.webhook(webhook.id)).secret, SECRET);
  await daemon.publish(event());
  await daemon.settle();
  assert.ok(to.events()[1].isSignedWith(SECRET));
});

inWorld('every change seals again: url, secret, headers, deletion', async ({ daemon, receiver, to }) => {
  const { id } = await daemon.activeWebhook(to, fields);
  const next = receiver.endpoint('/next');
  await daemon.update(id, { url: next.url });
  await daemon.update(id, { secret: 'canary-second-secret' });
  await daemon.update(id, { headers: { add: [{ name: 'X-More', value: 'canary-second-value' }] } });
  await daemon.restart();
  const seen = await daemon.webhook(id);
  assert.equal(seen.secret, 'canary-second-secret');
  assert.deepEqual(seen.headers.map((one) => one.value), [HEADER, 'canary-second-value']);
  await daemon.remove(id);
  await daemon.restart();
  assert.deepEqual(inFiles(daemon.data, [SECRET, HEADER, 'canary-second-secret', 'canary-second-value']), []);
});

inWorld('a key that does not fit is told at the start, and nothing is changed by it', async ({ daemon, to }) => {
  const { id } = await daemon.activeWebhook(to, fields);
  await daemon.stop();
  const good = fs.readFileSync(keyFile(daemon), 'utf8');
  const put = (text, mode = 0o600) => {
    fs.writeFileSync(keyFile(daemon), text, { mode });
    fs.chmodSync(keyFile(daemon), mode);
  };
  fs.rmSync(keyFile(daemon));
  await refused(daemon, /the key file .*revhook\.key is missing, and the secrets in the store are sealed with it/);
  assert.ok(!fs.existsSync(keyFile(daemon)), 'no key is made for a store that has one');
  const other = good.replace(/^1 .*$/m, `1 ${'ab'.repeat(32)}`);
  put(other);
  await refused(daemon, /key 1 in .*revhook\.key is not the one that the secrets in this store are sealed under/);
  put(other.replace(/^1 /m, '2 '));
  await refused(daemon, /sealed under key 1, which .*revhook\.key does not have/);
  for (const broken of ['', '# nothing\n', good.slice(0, -2), `1 ${'a'.repeat(63)}\n`, `1 ${'a'.repeat(65)}\n`, `${good}1 ${'ab'.repeat(32)}\n`, '1 short\n', `0 ${'ab'.repeat(32)}\n`, `1 ${'AB'.repeat(32)}\n`, 'x'.repeat(20000), good.replace('1 ', '1\0')]) {
    put(broken);
    await refused(daemon, /put the right (key file|one) back/);
  }
  for (const mode of [0o640, 0o604, 0o660, 0o666]) {
    put(good, mode);
    await refused(daemon, /others than its owner may read the key file .*chmod 600/);
  }
  put(good);
  fs.chmodSync(daemon.data, 0o750);
  await refused(daemon, /others than its owner may look into .*chmod 700/);
  fs.chmodSync(daemon.data, 0o700);
  await daemon.start();
  assert.equal((await daemon.webhook(id)).secret, SECRET);
});

inWorld('a row that somebody has changed is told at the start: never an empty secret', async ({ daemon, to }) => {
  await daemon.activeWebhook(to, fields);
  await daemon.stop();
  const script = 'import sqlite3,sys\nd=sqlite3.connect(sys.argv[1])\nr=d.execute("SELECT key,secret FROM webhook").fetchone()\ns=bytearray(r[1])\ns[-1]^=1\nd.execute("UPDATE webhook SET secret=? WHERE key=?",(bytes(s),r[0]))\nd.commit()\n';
  const edit = spawnSync('python3', ['-c', script, path.join(daemon.data, 'revhook.db')], { encoding: 'utf8' });
  assert.equal(edit.status, 0, edit.stderr);
  await refused(daemon, /the secret of don:.* does not open with the key that sealed it/);
  const back = spawnSync('python3', ['-c', script, path.join(daemon.data, 'revhook.db')], { encoding: 'utf8' });
  assert.equal(back.status, 0, back.stderr);
  await daemon.start();
});

inWorld('rotation while the service runs, and without it', async ({ daemon, receiver }) => {
  const webhooks = [];
  for (let i = 0; i < 300; i++) webhooks.push(await daemon.createWebhook({ url: receiver.endpoint(`/${i}`).url, event_types: ['work_created'], secret: `canary-secret-${i}` }));
  await daemon.settle();
  const old = fs.readFileSync(keyFile(daemon), 'utf8');
  const told = admin(daemon, 'keys', 'rotate', '--json');
  assert.equal(told.status, 0, told.stderr);
  assert.deepEqual(JSON.parse(told.stdout).key, { version: 2, file: keyFile(daemon) });
  await until(() => versions(keyFile(daemon)).join() === '2', 10000, () => `one key, saw ${versions(keyFile(daemon))}\n${daemon.stderrTail()}`);
  await until(() => daemon.stderr.includes('info resealed webhooks=300 key=2'), 5000, () => `its line in the log\n${daemon.stderrTail()}`);
  await daemon.publish(event());
  await daemon.settle();
  webhooks.forEach((one, i) => assert.ok(receiver.endpoint(`/${i}`).events()[0].isSignedWith(`canary-secret-${i}`)));
  await daemon.restart();
  assert.equal((await daemon.webhook(webhooks[7].id)).secret, 'canary-secret-7');
  await daemon.stop();
  assert.equal(admin(daemon, 'keys', 'rotate').status, 0);
  assert.deepEqual(versions(keyFile(daemon)), [2, 3], 'the old one stays until all is sealed under the new');
  const twice = admin(daemon, 'keys', 'rotate');
  assert.equal(twice.status, 1);
  assert.match(twice.stderr, /a rotation is under way, or waits for the next start/);
  await daemon.start();
  await until(() => versions(keyFile(daemon)).join() === '3', 10000, () => `one key, saw ${versions(keyFile(daemon))}`);
  assert.equal((await daemon.webhook(webhooks[299].id)).secret, 'canary-secret-299');
  await daemon.stop();
  fs.writeFileSync(keyFile(daemon), old);
  await refused(daemon, /sealed under key 3, which .* does not have/);
  assert.deepEqual(inFiles(daemon.data, ['canary-secret']), []);
  fs.rmSync(keyFile(daemon));
  await assert.rejects(daemon.start(), /is missing/);
  daemon.child = null;
});

proves('key_file names another place, and a systemd credential is read and never written', async () => {
  const dir = tempDir();
  const named = path.join(dir, 'named.key');
  const daemon = await startDaemon({ set: { key_file: named } });
  try {
    assert.deepEqual(versions(named), [1]);
    assert.ok(!fs.existsSync(keyFile(daemon)));
    await daemon.createWebhook({ url: 'http://127.0.0.1:1/', event_types: [], ...fields });
    assert.equal(admin(daemon, 'keys', 'rotate').status, 0, 'the sandbox leaves room for it');
    await until(() => versions(named).join() === '2', 5000, () => `the old key dropped, saw ${versions(named)}`);
    fs.writeFileSync(path.join(dir, 'revhook-key'), fs.readFileSync(named), { mode: 0o440 });
    fs.rmSync(named);
    await daemon.restart({ set: {}, env: { CREDENTIALS_DIRECTORY: dir } });
    assert.equal((await daemon.ok('webhooks.list', {})).webhooks[0].secret, SECRET);
    assert.ok(!fs.existsSync(keyFile(daemon)));
    const told = admin(daemon, 'keys', 'rotate');
    assert.equal(told.status, 1);
    assert.match(told.stderr, /is a credential, which this service only reads; add a line there/);
  } finally {
    await daemon.end();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

inWorld('canaries: no secret, token, challenge, signature, header value or body in anything that is logged, told or kept', { token: 'canary-api-token', set: { log_level: 'debug', token: 'canary-api-token' } }, async ({ daemon, receiver, to }) => {
  const words = new Set([SECRET, HEADER, 'canary-api-token', 'canary-body', 'canary-answer']);
  const body = () => event('work_created', { title: 'canary-body' });
  await daemon.activeWebhook(to, fields);
  to.onEvent = { status: 500, body: 'canary-answer' };
  for (const one of events(3, 'work_created', () => ({ title: 'canary-body' }))) await daemon.publish(one);
  await daemon.settle();
  await daemon.advance(300000);
  const silent = receiver.endpoint('/silent');
  silent.onVerify = { body: '{"challenge":"canary-answer"}' };
  await daemon.createWebhook({ url: silent.url, event_types: [], secret: 'canary-secret-of-another', headers: [{ name: 'Authorization', value: 'canary-authorization' }] });
  words.add('canary-secret-of-another').add('canary-authorization');
  await daemon.advance(180000);
  const told = [];
  const fails = async (name, fieldsOf, options) => told.push((await daemon.call(name, fieldsOf, options)).text);
  await fails('webhooks.create', { url: 'http://10.0.0.1/', secret: SECRET, event_types: [] });
  await fails('webhooks.create', { url: to.url, secret: 'canary', event_types: [] });
  await fails('webhooks.create', { url: to.url, headers: [{ name: 'X-A', value: `${HEADER}\r\nX: y` }], event_types: [] });
  await fails('webhooks.list', {}, { token: 'canary-wrong-token' });
  await fails('webhooks.get', { id: 'canary-wrong-token' }, { token: 'canary-wrong-token' });
  await fails('events.publish', { ...body(), extra: 'canary-body' });
  told.push((await daemon.get('metrics')).text, (await daemon.call('webhooks.list', `{"canary-body": `)).text);
  words.add('canary-wrong-token');
  for (const one of [...to.requests, ...silent.requests]) {
    words.add(one.signature);
    if (one.challenge) words.add(one.challenge);
  }
  assert.ok(words.size > 20, 'there is something to look for');
  const check = (where, text, except = []) => {
    for (const word of words) assert.ok(except.includes(word) || !text.includes(word), `${word} in ${where}`);
  };
  check('the log', daemon.stderr);
  told.forEach((text, i) => check(`answer ${i}`, text));
  check('metrics and errors', told.join('\n'));
  await daemon.stop();
  // What is published, and what receivers answer, is what the store is for; everything else must not be there.
  const kept = [...words].filter((word) => word !== 'canary-body' && word !== 'canary-answer');
  assert.deepEqual(inFiles(daemon.data, kept), []);
  assert.ok(inFiles(daemon.data, ['canary-body']).length > 0, 'the search finds what is there');
});

inWorld('no core file, and no look into the memory of the process', async ({ daemon }) => {
  const limits = fs.readFileSync(`/proc/${daemon.child.pid}/limits`, 'utf8');
  assert.match(limits, /^Max core file size\s+0\s+0\s/m);
  assert.equal(fs.statSync(`/proc/${daemon.child.pid}/mem`).uid, 0, 'the kernel gives what cannot be dumped to root');
});
