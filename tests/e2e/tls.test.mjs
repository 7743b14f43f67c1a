// TLS on both sides: the API with a certificate that is exchanged while it runs, targets that are verified whatever
// happens, and the certificate that the service itself shows to them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before } from 'node:test';
import tls from 'node:tls';
import { BINARY, runToEnd, startDaemon, tempDir } from './lib/daemon.mjs';
import { closeIdleConnections, request } from './lib/http.mjs';
import { Authority } from './lib/pki.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { event } from './lib/shapes.mjs';
import { proves } from './lib/suite.mjs';
import { until, within } from './lib/wait.mjs';

const CLI = path.resolve(process.env.REVHOOK ?? path.join(path.dirname(BINARY), 'revhook'));

let dir, ca, stranger, first, second;

before(() => {
  dir = tempDir();
  ca = new Authority(dir, 'ca');
  stranger = new Authority(dir, 'stranger');
  first = ca.issue('first');
  second = ca.issue('second');
});

after(() => fs.rmSync(dir, { recursive: true, force: true }));

/** A daemon with https and two files of its own for it, which the test may replace. */
async function withHttps(fn) {
  const own = fs.mkdtempSync(path.join(dir, 'api-'));
  const files = { cert: path.join(own, 'cert.pem'), key: path.join(own, 'key.pem') };
  const install = (pair) => {
    fs.copyFileSync(pair.cert, files.cert);
    fs.copyFileSync(pair.key, files.key);
  };
  install(first);
  const daemon = await startDaemon({ set: { tls_cert_file: files.cert, tls_key_file: files.key }, tls: { ca: fs.readFileSync(ca.cert) } });
  try {
    await fn(daemon, files, install);
  } finally {
    await daemon.end();
  }
}

/** A TLS connection to the daemon; the socket, connected, or an error. */
function dial(daemon, options = {}) {
  const { hostname, port } = new URL(daemon.url);
  return within(new Promise((resolve, reject) => {
    const socket = tls.connect({ host: hostname, port: Number(port), ca: fs.readFileSync(ca.cert), ...options }, () => resolve(socket));
    socket.on('error', reject);
  }), 10000, 'a TLS connection');
}

/** The name in the certificate that a new connection gets. */
async function shownName(daemon) {
  const socket = await dial(daemon);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

/** SIGHUP, and the line that it leads to. */
async function hangUp(daemon, expected) {
  const from = daemon.stderr.length;
  daemon.child.kill('SIGHUP');
  return until(() => daemon.stderr.slice(from).match(expected), 10000, () => `a line ${expected}\n${daemon.stderrTail()}`);
}

proves('the API speaks https with the certificate of its settings, and nothing else', () => withHttps(async (daemon) => {
  assert.match(daemon.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual((await daemon.ok('webhooks.list', {})).webhooks, []);
  const plain = daemon.url.replace('https:', 'http:');
  await assert.rejects(request(plain, { path: '/webhooks.list', body: '{}', timeoutMs: 5000 }), /ECONNRESET|socket hang up/);
  await assert.rejects(dial(daemon, { ca: fs.readFileSync(stranger.cert) }), /certificate/);
}));

proves('TLS 1.2 and newer, never h2 in ALPN, forward secrecy', () => withHttps(async (daemon) => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const socket = await dial(daemon, { minVersion: version, maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.getProtocol(), version);
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
  }
  const onlyH2 = await dial(daemon, { ALPNProtocols: ['h2'] });
  assert.equal(onlyH2.alpnProtocol, false);
  onlyH2.destroy();
  // The client's library is told to go as low as it can, so it is the server that refuses: it closes.
  const low = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
  await assert.rejects(dial(daemon, low), /disconnected before secure|alert/);
  await assert.rejects(dial(daemon, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:AES256-SHA:AES128-GCM-SHA256' }), /disconnected before secure|alert/);
}));

proves('SIGHUP exchanges the certificate: new connections get it, open ones go on', () => withHttps(async (daemon, files, install) => {
  assert.equal(await shownName(daemon), 'first');
  const open = await dial(daemon);
  install(second);
  assert.equal(await shownName(daemon), 'first', 'files that changed count when SIGHUP says so');
  await hangUp(daemon, /info reloaded settings=""/);
  assert.equal(await shownName(daemon), 'second');
  let answer = '';
  open.on('data', (chunk) => (answer += chunk));
  open.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => answer.startsWith('HTTP/1.1 200'), 5000, () => `an answer on the old connection, saw ${answer}`);
  open.destroy();
  closeIdleConnections();
  await daemon.ok('webhooks.list', {});
}));

proves('a certificate that cannot be used changes nothing, and the log says why', () => withHttps(async (daemon, files, install) => {
  fs.writeFileSync(files.cert, 'no certificate at all');
  await hangUp(daemon, /error reload_failed error=".*cert\.pem cannot be used: .*PEM/);
  assert.equal(await shownName(daemon), 'first');
  fs.copyFileSync(second.cert, files.cert); // with the key of the first
  await hangUp(daemon, /error reload_failed error=".*key\.pem cannot be used: .*the key of that certificate/);
  assert.equal(await shownName(daemon), 'first');
  fs.rmSync(files.cert);
  await hangUp(daemon, /error reload_failed error=".*cert\.pem cannot be used: it cannot be read/);
  assert.equal(await shownName(daemon), 'first');
  install(second);
  await hangUp(daemon, /info reloaded/);
  assert.equal(await shownName(daemon), 'second');
}));

proves('SIGHUP takes in what may change, names what has to wait, and ends nothing', async () => {
  const own = fs.mkdtempSync(path.join(dir, 'conf-'));
  const file = path.join(own, 'revhook.conf');
  fs.writeFileSync(file, 'degrade_after = 7\n');
  const daemon = await startDaemon({ args: ['--config', file] });
  try {
    fs.writeFileSync(file, 'degrade_after = 8\nlog_level = debug\n');
    await hangUp(daemon, /info reloaded settings=log_level\n(.*\n)*.*warn reload_left settings=degrade_after\n/);
    await daemon.ok('webhooks.list', {});
    await until(() => /debug request .*webhooks\.list/.test(daemon.stderr), 5000, () => `a debug line\n${daemon.stderrTail()}`);
    fs.writeFileSync(file, 'log_level = loud\n');
    await hangUp(daemon, /error reload_failed error=".*log_level cannot be \\"loud\\"/);
    fs.writeFileSync(file, `tls_cert_file = ${first.cert}\ntls_key_file = ${first.key}\n`);
    await hangUp(daemon, /error reload_failed error="tls_cert_file: only a start changes between http and https"/);
    await daemon.ok('webhooks.list', {});
  } finally {
    await daemon.end();
  }
});

proves('a certificate without its key, or files that are none, are told at the start', async () => {
  const data = path.join(dir, 'unused');
  const start = (...set) => runToEnd(['--dev', '--listen', '127.0.0.1:0', '--data', data, ...set.flatMap((one) => ['--set', one])]);
  for (const [cert, key] of [['tls_cert_file', 'tls_key_file'], ['target_cert_file', 'target_key_file']]) {
    const half = await start(`${cert}=${first.cert}`);
    assert.deepEqual([half.code, half.stdout], [2, '']);
    assert.match(half.stderr, new RegExp(`${cert} and ${key} go together`));
    const wrong = await start(`${cert}=${first.cert}`, `${key}=${second.key}`);
    assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
    assert.match(wrong.stderr, /second\.key cannot be used: key values mismatch; needed is the key of that certificate in PEM/);
  }
  const authorities = await start('ca_file=/dev/null');
  assert.equal(authorities.code, 1);
  assert.match(authorities.stderr, /ca_file: cannot read certificate authorities \(PEM\) from \/dev\/null/);
});

/** Runs the command line program to its end. */
function cli(args) {
  const child = spawn(CLI, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '', stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  return within(new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr }))), 20000, 'the end of revhook');
}

proves('revhook speaks https, and trusts what --ca-file names', () => withHttps(async (daemon) => {
  const good = await cli(['--url', daemon.url, '--ca-file', ca.cert, '--json', 'webhooks', 'list']);
  assert.deepEqual([good.code, good.stderr], [0, '']);
  assert.deepEqual(JSON.parse(good.stdout).webhooks, []);
  for (const args of [[], ['--ca-file', stranger.cert]]) {
    const bad = await cli(['--url', daemon.url, ...args, 'webhooks', 'list']);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /cannot be trusted: .*\n.*--ca-file FILE/);
  }
}));

/** A receiver with https and a daemon with the settings; fn(daemon, endpoint, receiver). */
async function withTarget(serverTls, set, fn) {
  const receiver = await startReceiver(serverTls);
  const daemon = await startDaemon({ set });
  try {
    await fn(daemon, receiver.endpoint('/hook'), receiver);
  } finally {
    await daemon.end();
    await receiver.close();
  }
}

const serverOf = (pair, more) => ({ cert: pair.certText, key: pair.keyText, ...more });

proves('ca_file is trusted besides the system\'s: a target that it signed gets its events', () => withTarget(serverOf(first), { ca_file: ca.cert }, async (daemon, to) => {
  await daemon.activeWebhook(to);
  const { id } = await daemon.publish(event());
  await daemon.settle();
  assert.equal((await daemon.deliveries({ event: id }))[0].state, 'delivered');
  assert.equal(to.of(id).length, 1);
  assert.ok(to.of(id)[0].isSignedWith(to.secret));
}));

proves('a target that cannot be verified gets nothing: another authority, another name, a time that is over', async () => {
  const cases = {
    'another authority': stranger.issue('foreign'),
    'another name': ca.issue('elsewhere', { san: 'DNS:elsewhere.example' }),
    'a time that is over': ca.issue('expired', { days: -1 }),
  };
  for (const [what, pair] of Object.entries(cases)) {
    await withTarget(serverOf(pair), { ca_file: ca.cert }, async (daemon, to) => {
      const { id } = await daemon.createWebhook({ url: to.url, event_types: ['work_created'] });
      await daemon.settle();
      await daemon.advance(180000);
      assert.equal((await daemon.webhook(id)).status, 'unverified', what);
      assert.equal(to.requests.length, 0, what);
      await until(() => (daemon.stderr.match(/verify_ended .* outcome=tls_failure/g) ?? []).length === 8, 5000,
        () => `8 tls failures for ${what}\n${daemon.stderrTail()}`);
    });
  }
});

proves('a target that asks for a client certificate gets the service\'s, and one that asks in vain gets nothing', async () => {
  const server = serverOf(first, { ca: fs.readFileSync(ca.cert), requestCert: true, rejectUnauthorized: true });
  const own = { ca_file: ca.cert, target_cert_file: second.cert, target_key_file: second.key };
  await withTarget(server, own, async (daemon, to) => {
    await daemon.activeWebhook(to);
    await daemon.publish(event());
    await daemon.settle();
    assert.deepEqual([...new Set(to.requests.map((one) => one.clientName))], ['second']);
    assert.equal(to.events().length, 1);
  });
  await withTarget(server, { ca_file: ca.cert }, async (daemon, to) => {
    await daemon.createWebhook({ url: to.url, event_types: ['work_created'] });
    await daemon.settle();
    assert.equal(to.requests.length, 0);
  });
});
