// The command line program `revhook`: its help and errors, the local receiver, and each command against a
// real service.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { BINARY, startDaemon, tempDir } from './lib/daemon.mjs';
import { event, EVENT_ID, sample, UNKNOWN_WEBHOOK, WEBHOOK_ID } from './lib/shapes.mjs';
import { proves } from './lib/suite.mjs';
import { until, within } from './lib/wait.mjs';

const PROGRAM = path.resolve(process.env.REVHOOK ?? path.join(path.dirname(BINARY), 'revhook'));
const SANITIZER = /Sanitizer|runtime error:/;
const SECRET = 'a-secret-of-26-characters!';

const COMMANDS = [
  'publish', 'trigger', 'webhooks create', 'webhooks get', 'webhooks list', 'webhooks update', 'webhooks delete',
  'webhooks wait', 'events get', 'events list', 'deliveries get', 'deliveries list', 'deliveries redeliver',
  'clock get', 'clock advance', 'listen',
];

function start(args, env = {}) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^REVHOOK|_proxy$/i.test(key)));
  const child = spawn(PROGRAM, args, { env: { ...clean, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const self = { child, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (self.stdout += chunk));
  child.stderr.on('data', (chunk) => (self.stderr += chunk));
  child.stdin.on('error', () => {});
  self.ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout: self.stdout, stderr: self.stderr }));
  });
  return self;
}

/** Run the program to its end: {code, signal, stdout, stderr}. */
async function run(args, { input, env, ms = 20000 } = {}) {
  const running = start(args, env);
  running.child.stdin.end(input ?? '');
  try {
    const result = await within(running.ended, ms, `the end of revhook ${args.join(' ')}; ${running.stderr}`);
    assert.doesNotMatch(result.stderr, SANITIZER);
    return result;
  } finally {
    running.child.kill('SIGKILL');
  }
}

/** A run that must succeed: its stdout. */
async function ok(args, options) {
  const result = await run(args, options);
  assert.equal(result.code, 0, `revhook ${args.join(' ')}: exit ${result.code}\n${result.stderr}`);
  return result.stdout;
}

/** The text behind a label at the beginning of a line. */
function field(text, label) {
  return new RegExp(`^${label} +(.*)$`, 'm').exec(text)?.[1];
}

const sign = (body, secret = SECRET) => crypto.createHmac('sha256', secret).update(body).digest('hex');

/** POST to a receiver: {status, type, body}. */
function post(url, body, { signature = sign(body), method = 'POST' } = {}) {
  const headers = { 'content-type': 'application/json', ...(signature === null ? {} : { 'x-devrev-signature': signature }) };
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, type: response.headers['content-type'], body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A running `revhook listen` on a free port. */
async function listen(...args) {
  const port = args.includes('--port') ? [] : ['--port', '0'];
  const self = start(['listen', ...port, ...args]);
  await until(() => self.stdout.includes('\n'), 5000, () => `its first line; ${self.stderr}`);
  self.url = /http:\/\/[^"\s]+/.exec(self.stdout)[0];
  self.lines = () => self.stdout.split('\n').slice(1, -1);
  self.awaitLines = (n) => until(() => self.lines().length >= n, 5000, () => `${n} lines, saw ${self.stdout}`);
  self.end = async (signal = 'SIGTERM') => {
    self.child.kill(signal);
    const result = await within(self.ended, 3000, 'the end of revhook listen');
    assert.doesNotMatch(result.stderr, SANITIZER);
    return result;
  };
  return self;
}

const verifyBody = (challenge) =>
  JSON.stringify({ id: 'don:x:event/v', webhook_id: 'don:x', timestamp: 't', type: 'verify', verify: { challenge } });
const eventBody = (id, extra = {}) => JSON.stringify({ id, webhook_id: 'don:x', type: 'work_created', work_created: extra });

describe('help and wrong command lines', () => {
  proves('--help names every command, and every command has its own help', async () => {
    const help = await ok(['--help']);
    for (const command of COMMANDS) {
      assert.match(help, new RegExp(`^  ${command}\\b`, 'm'));
      const own = await ok([...command.split(' '), '--help']);
      assert.match(own, new RegExp(`^usage: revhook ${command}`));
      assert.match(own, /--token T/);
    }
    assert.match(await ok(['--version']), /^revhook \d+\.\d+\.\d+\n$/);
  });

  proves('the first word of several commands has a help that lists them and no others', async () => {
    for (const word of ['webhooks', 'events', 'deliveries', 'clock']) {
      for (const flag of ['--help', '-h']) {
        const help = await ok([word, flag]);
        const listed = [...help.matchAll(/^  (\w+ \w+)/gm)].map((match) => match[1]);
        assert.deepEqual(listed.sort(), COMMANDS.filter((command) => command.startsWith(`${word} `)).sort());
      }
    }
  });

  proves('a wrong command line ends with 2, says what is wrong and names the nearest help', async () => {
    const wrong = [
      [[], /which command/, 'revhook --help'],
      [['frobnicate'], /unknown command 'frobnicate'/, 'revhook --help'],
      [['webhooks'], /after 'webhooks' comes one of: create, get, list, update, delete, wait\n/, 'revhook --help'],
      [['clock', '--json'], /after 'clock' comes one of: get, advance\n/, 'revhook --help'],
      [['webhooks', 'frob'], /unknown command 'webhooks frob'; after 'webhooks' comes one of: create, /, 'revhook --help'],
      [['events', 'list', '--limit', '101'], /from 1 to 100, not '101'/, 'revhook events list --help'],
      ...['', 'x', '1x', '-1', ' 1', '0', '9'.repeat(30)].map((n) => [['events', 'list', `--limit=${n}`], new RegExp(`from 1 to 100, not '${n}'`), 'revhook events list --help']),
      [['listen', '--status', '600'], /from 200 to 599/, 'revhook listen --help'],
      [['listen', '--delay', '-1'], /from 0 to 3600000/, 'revhook listen --help'],
      [['listen', '--count', '0'], /from 1 to/, 'revhook listen --help'],
      [['webhooks', 'wait', 'x', '--timeout', 'x'], /from 0 to 86400/, 'revhook webhooks wait --help'],
      [['trigger', 'x', '--count', '0'], /whole number from 1/, 'revhook trigger --help'],
      [['publish', 'x', '--batch', '1001'], /from 1 to 1000/, 'revhook publish --help'],
      [['publish', ''], /no event type/, 'revhook publish --help'],
      [['publish', 'x'.repeat(101)], /no event type/, 'revhook publish --help'],
      [['publish', 'x', '--idempotency-key', ''], /1 to 255 bytes/, 'revhook publish --help'],
      [['publish', 'x', '--idempotency-key', 'k'.repeat(256)], /1 to 255 bytes/, 'revhook publish --help'],
      [['publish', '--file', 'x', '--data', '{}'], /--file brings its own/, 'revhook publish --help'],
      [['publish', '--file', 'x', '--count', '1'], /--file brings its own/, 'revhook publish --help'],
      ...['', 'x', '367d', '9'.repeat(30), '99999999999999d', '-1s'].map((text) => [['clock', 'advance', '--', text], /no duration/, 'revhook clock advance --help']),
      [['webhooks', 'get', '-x'], /unknown option -x/, 'revhook webhooks get --help'],
      [['webhooks', 'update', 'x', '--secret', 's', '--rotate-secret'], /exclude each other/, 'revhook webhooks update --help'],
      [['webhooks', 'create', '--url', 'a', '--header', ': x'], /Name: value/, 'revhook webhooks create --help'],
      [['webhooks', 'create', '--url', 'a', ...Array(65).fill(['--header', 'A: b']).flat()], /more than 64 options/, 'revhook webhooks create --help'],
      [['--url', `http://${'x'.repeat(2048)}`, 'clock', 'get'], /longer than 2048 bytes/, 'revhook clock get --help'],
      [['webhooks', 'get'], /needs: ID/, 'revhook webhooks get --help'],
      [['webhooks', 'get', 'a', 'b'], /'b' is one argument too many/, 'revhook webhooks get --help'],
      [['webhooks', 'get', 'a', '--frob'], /unknown option --frob/, 'revhook webhooks get --help'],
      [['webhooks', 'create'], /needs --url/, 'revhook webhooks create --help'],
      [['webhooks', 'create', '--url'], /--url needs a value/, 'revhook webhooks create --help'],
      [['webhooks', 'create', '--url', 'a', '--url', 'b'], /given twice/, 'revhook webhooks create --help'],
      [['webhooks', 'create', '--url', 'a', '--header', 'x'], /Name: value/, 'revhook webhooks create --help'],
      [['webhooks', 'update', 'a'], /nothing to change/, 'revhook webhooks update --help'],
      [['webhooks', 'update', 'a', '--activate', '--deactivate'], /exclude/, 'revhook webhooks update --help'],
      [['webhooks', 'update', 'a', '--activate=x'], /takes no value/, 'revhook webhooks update --help'],
      [['publish'], /needs an event type/, 'revhook publish --help'],
      [['publish', 'a"b'], /no event type/, 'revhook publish --help'],
      [['publish', 'a', '--data', '{},{}'], /one JSON object/, 'revhook publish --help'],
      [['publish', 'a', '--data', '[]'], /one JSON object/, 'revhook publish --help'],
      [['publish', 'a', '--count', '0'], /whole number from 1/, 'revhook publish --help'],
      [['publish', 'a', '--file', 'x'], /--file brings its own/, 'revhook publish --help'],
      [['clock', 'advance', '5x'], /no duration/, 'revhook clock advance --help'],
      [['listen', '--port', '65536'], /from 0 to 65535/, 'revhook listen --help'],
      [['--url', 'ftp://x', 'clock', 'get'], /http:/, 'revhook clock get --help'],
    ];
    for (const [args, message, help] of wrong) {
      const result = await run(args);
      const seen = `revhook ${args.join(' ')}: ${result.stderr}`;
      assert.equal(result.code, 2, seen);
      assert.match(result.stderr, message, seen);
      assert.ok(result.stderr.endsWith(`see: ${help}\n`), seen);
      assert.equal(result.stdout, '', seen);
    }
  });

  proves('without a service it says which address it tried and how to start one', async () => {
    const result = await run(['clock', 'get'], { env: { REVHOOK_URL: 'http://127.0.0.1:1' } });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /no service answers at http:\/\/127\.0\.0\.1:1\n.*tools\/run/);
  });
});

describe('listen', () => {
  proves('echoes a challenge byte for byte and knows the published signature vector', async () => {
    const receiver = await listen('--secret', 'MTIzNDU2Nzg5MGFiY2RlZg==');
    const body =
      '{"id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123:event/abcdef","webhook_id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123","timestamp":"2022-08-01T12:00:00.123456Z","type":"verify","verify":{"challenge":"DlrVaK7zRyZWwbJhj5dZHDlrVaK7Jhj5dZZjH"}}';
    const answer = await post(receiver.url, body, { signature: 'acde1898df630d91ee7a354db3841e305da3a6b1c14576bfb9c50385df4cb241' });
    assert.deepEqual(answer, { status: 200, type: 'application/json', body: '{"challenge":"DlrVaK7zRyZWwbJhj5dZHDlrVaK7Jhj5dZZjH"}' });
    await receiver.awaitLines(1);
    assert.match(receiver.lines()[0], /  verify  don:\S+  signature ok  answered 200 with the challenge$/);
    const end = await receiver.end();
    assert.equal(end.code, 0);
    assert.match(end.stdout, /^listening on http:\/\/127\.0\.0\.1:\d+\/\n/);
    assert.match(end.stdout, /\n0 received, 0 verified signatures, 0 duplicates, 1 verify requests\n$/);
  });

  proves('--signature: each form knows its published vector and no other', async () => {
    const body = '{"id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123:event/abcdef","webhook_id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123","timestamp":"2022-08-01T12:00:00.123456Z","type":"verify","verify":{"challenge":"DlrVaK7zRyZWwbJhj5dZHDlrVaK7Jhj5dZZjH"}}';
    const vectors = {
      default: 'acde1898df630d91ee7a354db3841e305da3a6b1c14576bfb9c50385df4cb241',
      'hex,prefix=sha256=': 'sha256=acde1898df630d91ee7a354db3841e305da3a6b1c14576bfb9c50385df4cb241',
      base64: 'rN4YmN9jDZHuejVNs4QeMF2jprHBRXa/ucUDhd9MskE=',
      'key=base64': '9b869bbf088c6e83efa18dc8d5c8c95806b740ca0164c48b49a8f8c9988a35b3',
      'devrev-live': 'm4abvwiMboPvoY3I1cjJWAa3QMoBZMSLSaj4yZiKNbM=',
    };
    for (const form of Object.keys(vectors)) {
      const receiver = await listen('--secret', 'MTIzNDU2Nzg5MGFiY2RlZg==', '--signature', form);
      for (const signature of Object.values(vectors)) await post(receiver.url, body, { signature });
      await receiver.awaitLines(5);
      const seen = receiver.lines().map((line) => /signature (ok|BAD)/.exec(line)[1]);
      assert.deepEqual(seen, Object.keys(vectors).map((other) => (other === form ? 'ok' : 'BAD')), form);
      await receiver.end();
    }
    for (const bad of ['', 'HEX', 'key=hex', 'prefix=sha1=', 'digest=sha512', ',', 'a-word-that-is-much-too-long']) {
      const refused = await run(['listen', '--port', '0', '--signature', bad]);
      assert.equal(refused.code, 2, bad);
      assert.match(refused.stderr, /--signature/, bad);
    }
  });

  proves('tells good, bad and missing signatures apart, and the same event arriving again', async () => {
    const receiver = await listen('--secret', SECRET);
    const body = eventBody('don:x:event/1');
    for (const signature of [undefined, sign(body, 'another secret'), sign(body).toUpperCase(), null]) {
      assert.equal((await post(receiver.url, body, { signature })).status, 200);
    }
    await receiver.awaitLines(4);
    assert.deepEqual(
      receiver.lines().map((line) => line.replace(/^\S+  /, '')),
      [
        'work_created  don:x:event/1  signature ok  answered 200',
        'work_created  don:x:event/1  (again, 2nd time)  signature BAD  answered 200',
        'work_created  don:x:event/1  (again, 3rd time)  signature BAD  answered 200',
        'work_created  don:x:event/1  (again, 4th time)  signature missing  answered 200',
      ],
    );
    const end = await receiver.end('SIGINT');
    assert.equal(end.code, 0);
    assert.match(end.stdout, /\n4 received, 1 verified signatures, 3 duplicates, 0 verify requests\n$/);
  });

  proves('with --status it fails events but still verifies; with --no-verify it does not', async () => {
    const failing = await listen('--status', '503', '--body', 'go away');
    assert.equal((await post(failing.url, verifyBody('c1'))).body, '{"challenge":"c1"}');
    assert.deepEqual(await post(failing.url, eventBody('e')), { status: 503, type: 'text/plain; charset=utf-8', body: 'go away' });
    await failing.awaitLines(2);
    assert.match(failing.lines()[1], /signature unchecked \(give --secret\)  answered 503$/);
    await failing.end();
    const deaf = await listen('--status', '503', '--no-verify');
    assert.equal((await post(deaf.url, verifyBody('c1'))).status, 503);
    await deaf.end();
  });

  proves('ends by itself after --count events, the last answer sent, verify requests not counted', async () => {
    const receiver = await listen('--count', '2', '--delay', '50', '--quiet');
    await post(receiver.url, verifyBody('c1'));
    await post(receiver.url, eventBody('e1'));
    assert.equal((await post(receiver.url, eventBody('e2'))).status, 200);
    const end = await within(receiver.ended, 3000, 'its end');
    assert.equal(end.code, 0);
    assert.match(end.stdout, /^listening on \S+\n2 received, .*\n$/, 'quiet: only the first and the last line');
  });

  proves('survives what is no event: other methods, no JSON, terminal escapes, 1.9 MiB; refuses more than 2 MiB', async () => {
    const receiver = await listen('--show-body');
    assert.equal((await post(receiver.url, undefined, { method: 'GET', signature: 'x' })).status, 405);
    assert.equal((await post(receiver.url, '{"type":"verify","verify":{"challenge":7}}')).status, 200);
    assert.equal((await post(receiver.url, '}{')).status, 200);
    assert.equal((await post(receiver.url, `${'['.repeat(100000)}`)).status, 200);
    assert.equal((await post(receiver.url, '{"type":"a\u001b[31m\u009b31m\u00e9","id":"x\\u0000"}')).status, 200);
    assert.equal((await post(receiver.url, eventBody('e', { x: 'y'.repeat(1.9 * 1024 * 1024) }))).status, 200);
    const refused = await post(receiver.url, eventBody('e', { x: 'y'.repeat(2.1 * 1024 * 1024) })).catch((error) => error);
    assert.ok(refused.status === 413 || refused.code === 'ECONNRESET' || refused.code === 'EPIPE', String(refused));
    const end = await receiver.end();
    assert.doesNotMatch(end.stdout, /[\u001b\u0080-\u009f]/, 'no escape reaches the terminal');
    assert.match(end.stdout, /a\?\[31m\?31m\u00e9/, 'the rest does');
    assert.match(end.stdout, /\n5 received, /);
  });

  proves('prints JSON lines with --json', async () => {
    const receiver = await listen('--json', '--secret', SECRET);
    await post(receiver.url, eventBody('e"1'));
    await post(receiver.url, eventBody('e2'));
    const lines = (await receiver.end()).stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines[0].listening, receiver.url);
    assert.equal(lines[2].event, 'e2');
    assert.equal(lines[2].signature, 'ok');
    assert.deepEqual(lines[3], { received: 2, verified_signatures: 2, duplicates: 0, verify_requests: 0 });
  });

  proves('a port that is taken is told', async () => {
    const receiver = await listen();
    const second = await run(['listen', '--port', new URL(receiver.url).port]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /Address already in use \(choose another with --port\)/);
    await receiver.end();
  });
});

describe('against a service', () => {
  let daemon;
  let receiver;
  let service;

  before(async () => {
    daemon = await startDaemon();
    service = { env: { REVHOOK_URL: daemon.url } };
    receiver = await listen('--secret', SECRET);
  });

  after(async () => {
    await receiver?.end();
    await daemon?.end();
  });

  const cli = (...args) => ok(args, service);

  /** A verified webhook on the receiver: its id. */
  async function activeWebhook(types = 'work_created', ...more) {
    const id = field(await cli('webhooks', 'create', '--url', receiver.url, '--event-types', types, '--secret', SECRET, ...more), 'webhook');
    await cli('webhooks', 'wait', id, '--timeout', '10');
    return id;
  }

  proves('webhooks: --signature sets a form of its own, and goes back to the service\'s', async () => {
    const live = await listen('--secret', SECRET, '--signature', 'devrev-live', '--count', '1');
    const id = field(await cli('webhooks', 'create', '--url', live.url, '--event-types', 'tag_created', '--secret', SECRET, '--signature', 'devrev-live'), 'webhook');
    assert.equal(field(await cli('webhooks', 'wait', id, '--status', 'active', '--timeout', '10'), 'signature'), 'encoding=base64,key=base64,prefix=');
    await cli('trigger', 'tag_created');
    assert.match((await within(live.ended, 5000, 'one event')).stdout, /\n1 received, 1 verified signatures, 0 duplicates, 1 verify requests\n$/);
    const of = async (...form) => {
      const shown = JSON.parse(await cli('webhooks', 'update', id, '--signature', ...form, '--json'));
      return shown.webhook.signature;
    };
    assert.deepEqual(await of('hex,prefix=sha256='), { encoding: 'hex', key: 'base64', prefix: 'sha256=' });
    assert.deepEqual(await of('key=string'), { encoding: 'hex', key: 'string', prefix: 'sha256=' });
    assert.equal(await of('default'), undefined);
    const refused = await run(['webhooks', 'update', id, '--signature', 'rot13'], service);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /signature\.preset/);
    await cli('webhooks', 'delete', id);
  });

  proves('webhooks: create, wait, get, list, update, delete', async () => {
    const created = await cli('webhooks', 'create', '--url', receiver.url, '--event-types', 'tag_created,work_created', '--secret', SECRET, '--header', 'x-key: 12');
    const id = field(created, 'webhook');
    assert.match(id, WEBHOOK_ID);
    assert.equal(field(created, 'secret'), SECRET, 'create shows the secret');
    assert.equal(field(created, 'headers'), 'x-key: 12');
    const active = await cli('webhooks', 'wait', id, '--status', 'active', '--timeout', '10');
    assert.equal(field(active, 'status'), 'active');
    assert.match(field(active, 'health'), /^active since \d{4}-/);
    const shown = await cli('webhooks', 'get', id);
    assert.equal(field(shown, 'secret'), undefined, 'get keeps the secret to itself');
    assert.equal(field(shown, 'headers'), 'x-key: (hidden)');
    assert.equal(field(await cli('webhooks', 'get', id, '--show-secret'), 'secret'), SECRET);
    assert.match(await cli('webhooks', 'list', '--status', 'active'), new RegExp(`^${id}  active +active +2 `, 'm'));
    assert.doesNotMatch(await cli('webhooks', 'list', '--status', 'inactive,unverified'), new RegExp(id));
    await cli('webhooks', 'update', id, '--remove-event-types', 'tag_created', '--add-event-types', 'tag_updated,tag_deleted',
      '--add-header', 'y-key: 2', '--remove-header', 'x-key');
    let now = JSON.parse(await cli('webhooks', 'get', id, '--json')).webhook;
    assert.deepEqual([...now.event_types].sort(), ['tag_deleted', 'tag_updated', 'work_created']);
    assert.deepEqual(now.headers, [{ name: 'y-key', value: '2' }]);
    await cli('webhooks', 'update', id, '--set-event-types', '', '--set-header', '', '--deactivate');
    now = JSON.parse(await cli('webhooks', 'get', id, '--json')).webhook;
    assert.deepEqual(now.event_types, []);
    assert.deepEqual(now.headers ?? [], []);
    assert.equal(now.status, 'inactive');
    await cli('webhooks', 'update', id, '--activate');
    const rotated = await cli('webhooks', 'update', id, '--rotate-secret', '--show-secret');
    assert.match(field(rotated, 'secret'), /^[A-Za-z0-9]{32}$/);
    assert.equal(field(await cli('webhooks', 'delete', id), 'deleted'), id);
    const gone = await run(['webhooks', 'get', id], service);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /^revhook: webhooks\.get: 404 not_found/);
  });

  proves('waiting in vain ends with 1 and says what was seen', async () => {
    const id = field(await cli('webhooks', 'create', '--url', 'http://127.0.0.1:1/'), 'webhook');
    const result = await run(['webhooks', 'wait', id, '--status', 'active', '--timeout', '0'], service);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /still unverified \(health unverified\) after 0 s, not active/);
    await cli('webhooks', 'delete', id);
  });

  proves('what is published arrives as it was written, signed, and is shown so', async () => {
    const id = await activeWebhook();
    const work = JSON.stringify(event().work_created.work);
    const data = `{"work":${work},"big":12345678901234567890123,"tenth":0.1,"huge":1e400,"text":"a\u00e9\\n"}`;
    const line = await cli('publish', 'work_created', '--data', data);
    assert.match(line, /^don:\S+:event\/\S+  work_created  1 delivery\n$/);
    const id1 = line.split('  ')[0];
    assert.match(id1, EVENT_ID);
    await until(() => receiver.lines().some((text) => text.includes(id1.split('/').pop()) && text.includes('signature ok')), 5000, () => receiver.stdout);
    const shown = await cli('events', 'get', id1);
    assert.match(shown, /^ {4}"big": 12345678901234567890123,$/m);
    assert.match(shown, /^ {4}"tenth": 0\.1,$/m);
    assert.match(shown, /^ {4}"huge": 1e400,$/m);
    assert.equal(field(shown, 'deliveries'), '1');
    assert.match(await ok(['publish', 'work_created', '--data', '-'], { ...service, input: ` ${data}\n` }), /1 delivery\n$/);
    const folder = tempDir();
    fs.writeFileSync(path.join(folder, 'data.json'), data);
    assert.match(await cli('publish', 'work_created', '--data', `@${folder}/data.json`), /1 delivery\n$/);
    fs.rmSync(folder, { recursive: true });
    await cli('webhooks', 'delete', id);
    const unwanted = await run(['publish', 'work_created', '--data', data], service);
    assert.equal(unwanted.code, 0);
    assert.match(unwanted.stderr, /no active webhook wants work_created/);
  });

  proves('--file publishes line by line in batches, and a refused line is named', async () => {
    const id = await activeWebhook('tag_created');
    const tag = JSON.stringify(event('tag_created'));
    const input = Array.from({ length: 2500 }, (_, n) => JSON.stringify(event('tag_created', { n }))).join('\n');
    const result = await run(['publish', '--file', '-', '--idempotency-key', 'file-1'], { ...service, input });
    assert.equal(result.code, 0, result.stderr);
    const ids = result.stdout.trim().split('\n').map((line) => line.split('  ')[0]);
    assert.equal(new Set(ids).size, 2500);
    assert.match(result.stderr, /2500 events published, 2500 deliveries/);
    const again = await run(['publish', '--file', '-', '--idempotency-key', 'file-1'], { ...service, input });
    assert.equal(again.stdout, result.stdout, 'the same keys give the same answers');
    assert.match(again.stderr, /this key was used before/);
    const refused = await run(['publish', '--file', '-'], { ...service, input: `${tag}\n\n{"type":"no_such","no_such":{}}\n` });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /400 invalid_enum_value, field events\[1\]\.type/);
    assert.match(refused.stderr, /events\[1\] is line 3/);
    const broken = await run(['publish', '--file', '-'], { ...service, input: `${tag}\n{"type"` });
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /standard input, line 2: not one JSON object/);
    await daemon.settle();
    const rows = (await cli('deliveries', 'list', '--webhook', id, '--state', 'delivered', '--all', '--limit', '100')).trim().split('\n');
    assert.equal(rows.length, 2501, 'one line of titles and 2500 deliveries');
    const page = await run(['deliveries', 'list', '--webhook', id, '--limit', '2'], service);
    assert.equal(page.stdout.trim().split('\n').length, 3);
    const cursor = /--cursor (\S+)/.exec(page.stderr)[1];
    const second = await cli('deliveries', 'list', '--webhook', id, '--limit', '2', '--cursor', cursor);
    assert.notEqual(second, page.stdout);
    await cli('webhooks', 'delete', id);
  });

  proves('--count publishes the same event so many times', async () => {
    const result = await run(['publish', 'tag_updated', '--count', '1001', '--quiet', '--data', JSON.stringify(event('tag_updated').tag_updated)], service);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /1001 events published, 0 deliveries/);
    const others = await run(['events', 'list', '--type', 'sync_unit_updated'], service);
    assert.equal(others.stdout, '', 'none of another type');
    const listed = (await cli('events', 'list', '--type', 'tag_updated', '--limit', '3')).trim().split('\n');
    assert.equal(listed.length, 4);
    assert.match(listed[1], /^\S+Z +tag_updated +0 +don:\S+:event\/\S+$/);
  });

  proves('trigger publishes the sample, with fields set', async () => {
    const id = await activeWebhook('tag_updated');
    const plain = await cli('trigger', 'tag_updated');
    assert.match(plain, /^don:\S+:event\/\S+  tag_updated  1 delivery\n$/);
    const payload = async (line) => JSON.parse(await cli('events', 'get', line.split('  ')[0], '--json')).event.tag_updated;
    assert.deepEqual(await payload(plain), sample('tag_updated').tag_updated);

    const settings = ['tag.name=Häßlich "quoted"', 'tag.style=', 'tag.description="17"', 'tag.allowed_values=["a", 2]', 'tag.custom_fields.tnt__size.big=12345678901234567890123',
      'tag.custom_fields.tnt__size.half=0.5', 'tag.empty={}', 'tag.empty.now=no', 'old_tag={"id":"x","name":"y"}', 'q"k=[not json', 'q"k=true', 'tag.id=a=b'];
    const line = await cli('trigger', 'tag_updated', ...settings.flatMap((setting) => ['--set', setting]));
    assert.match(line, /  1 delivery\n$/);
    const shown = await cli('events', 'get', line.split('  ')[0]);
    assert.match(shown, /^ +"big": 12345678901234567890123,$/m, 'digits are kept');
    const { tag } = sample('tag_updated').tag_updated;
    const set = { name: 'Häßlich "quoted"', style: '', description: '17', allowed_values: ['a', 2], custom_fields: { tnt__size: { big: 12345678901234567890123, half: 0.5 } }, empty: { now: 'no' }, id: 'a=b' };
    assert.deepEqual(await payload(line), { old_tag: { id: 'x', name: 'y' }, tag: { ...tag, ...set }, 'q"k': true });

    const many = await run(['trigger', 'tag_updated', '--count', '3', '--set', 'tag.name=three'], service);
    assert.equal(many.stdout.trim().split('\n').length, 3);
    assert.match(many.stderr, /3 events published, 3 deliveries/);
    await cli('webhooks', 'delete', id);
  });

  proves('trigger refuses what it cannot set, and publishes nothing then', async () => {
    const newest = async () => (await cli('events', 'list', '--limit', '1')).trim().split('\n')[1];
    const before = await newest();
    for (const [setting, message] of [
      ['name', /--set needs PATH=VALUE, not 'name'/],
      ['=1', /an empty name/],
      ['tag..name=1', /an empty name/],
      ['tag.name.x=1', /what stands before 'x' is no object/],
      ['tag.allowed_values.0=1', /what stands before '0' is no object/],
    ]) {
      const result = await run(['trigger', 'tag_created', '--set', setting], service);
      assert.equal(result.code, 2, setting);
      assert.match(result.stderr, message);
    }
    for (const [args, message] of [
      [['tag_created', '--set', 'tag.name=7'], /400 unexpected_json_type, field tag_created\.tag\.name/],
      [['tag_created', '--set', 'tag={}'], /400 missing_required_field, field tag_created\.tag\.id/],
      [['no_such'], /events\.sample: 400 invalid_enum_value, field type/],
      [['verify'], /events\.sample: 400 invalid_enum_value, field type/],
    ]) {
      const result = await run(['trigger', ...args], service);
      assert.equal(result.code, 1, args.join(' '));
      assert.match(result.stderr, message);
    }
    assert.equal(await newest(), before);
  });

  proves('a failing delivery: its attempts, the clock, the end, and once more by hand', async () => {
    const failing = await listen('--secret', SECRET, '--status', '500', '--body', 'not today\nnot tomorrow');
    const id = field(await cli('webhooks', 'create', '--url', failing.url, '--event-types', 'part_created', '--secret', SECRET), 'webhook');
    await cli('webhooks', 'wait', id, '--status', 'active', '--timeout', '10');
    await cli('trigger', 'part_created');
    assert.match(field(await cli('clock', 'advance', '0'), 'next'), /^\d{4}-/, 'the second attempt waits');
    const row = (await cli('deliveries', 'list', '--webhook', id)).trim().split('\n')[1];
    const delivery = row.split(/ +/).pop();
    assert.match(row, /  part_created  pending  -  +1  +\d{4}-\S+Z  don:/);
    const pending = await cli('deliveries', 'get', delivery);
    assert.match(pending, /^attempt 1 +\S+Z  \d+ ms  500 .*\| not today \.\.\.$/m);
    assert.match(field(pending, 'next attempt'), /^\d{4}-/);
    assert.equal(field(await cli('clock', 'advance', '30s'), 'attempts'), '1');
    await cli('clock', 'advance', '3m');
    const failed = await cli('deliveries', 'get', delivery);
    assert.equal(field(failed, 'state'), 'failed');
    assert.equal(field(failed, 'reason'), 'attempts_exhausted');
    assert.match(failed, /^attempt 3 /m);
    const url = new URL(failing.url);
    await failing.end();
    const healed = await listen('--secret', SECRET, '--port', url.port);
    await cli('deliveries', 'redeliver', delivery);
    await cli('clock', 'advance', '0');
    const done = await cli('deliveries', 'get', delivery);
    assert.equal(field(done, 'state'), 'delivered');
    assert.match(done, /^attempt 4 .*  200.*\(redelivery\)/m);
    await healed.end();
    await cli('webhooks', 'delete', id);
  });

  proves('an error of the API is one readable line; with --json its body is on stdout too', async () => {
    const result = await run(['--json', 'webhooks', 'create', '--url', 'http://10.0.0.1/'], service);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^revhook: webhooks\.create: 400 value_not_permitted, field url: .+\n$/);
    assert.equal(JSON.parse(result.stdout).type, 'value_not_permitted');
    const unknown = await run(['webhooks', 'get', UNKNOWN_WEBHOOK], service);
    assert.equal(unknown.code, 1);
    assert.equal(unknown.stdout, '');
  });

  proves('a refusal with one usual cause says what to do', async () => {
    const type = await run(['trigger', 'work_creatd'], service);
    assert.match(type.stderr, /value work_creatd\ndid you mean: work_created\n$/);
    const types = await run(['webhooks', 'create', '--url', 'http://127.0.0.1:1/', '--event-types', 'work_x'], service);
    assert.match(types.stderr, /\ndid you mean: work_created work_deleted work_fetched work_updated\n$/);
    const nothing = await run(['trigger', 'zzz'], service);
    assert.match(nothing.stderr, /value zzz\n$/, 'nothing is like it');
    const state = await run(['deliveries', 'list', '--state', 'lost'], service);
    assert.match(state.stderr, /\nallowed: pending in_flight held delivered failed dropped\n$/);
    const id = await run(['webhooks', 'get', 'AbCdEfGh'], service);
    assert.match(id.stderr, /invalid_id, field id\n.*beginning with don:\n$/);
    const empty = await run(['publish', 'work_created'], service);
    assert.match(empty.stderr, /missing_required_field, field work_created\.work\n.*revhook trigger TYPE\n$/);
    assert.equal(empty.code, 1);
  });

  proves('--token, and the hint when it is refused', async () => {
    const result = await run(['--token', 'wrong', 'webhooks', 'list'], service);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /401 unauthenticated.*\n.*--token T or REVHOOK_TOKEN/);
    await ok(['webhooks', 'list', '--token=dev-token', '--url', daemon.url], { env: { REVHOOK_URL: 'http://127.0.0.1:1' } });
  });

  proves('the clock of a service on real time cannot be moved, and that is explained', async () => {
    const real = await startDaemon({ clock: 'real' });
    const result = await run(['--url', real.url, 'clock', 'advance', 'next']);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /--clock virtual/);
    await real.end();
  });
});
