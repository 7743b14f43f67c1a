// The command line against a service that answers what it likes: of another version, broken, or no such service at all.
// What is missing is no reason to fail, what is wrong is said, and nothing that came over the network moves a terminal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { BINARY, tempDir } from './lib/daemon.mjs';
import { proves } from './lib/suite.mjs';
import { within } from './lib/wait.mjs';

const PROGRAM = path.resolve(process.env.REVHOOK ?? path.join(path.dirname(BINARY), 'revhook'));

let server;
let answers; // what comes next: [status, text or value, headers]
let asked;

before(async () => {
  server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      asked.push({ path: request.url, body });
      const [status, answer, headers] = answers.length > 1 ? answers.shift() : answers[0];
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      response.end(typeof answer === 'string' || Buffer.isBuffer(answer) ? answer : JSON.stringify(answer));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => server.close());

/** Run a command against these answers, the last of them again and again: {code, stdout, stderr}. */
async function run(words, ...given) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^REVHOOK|_proxy$/i.test(key)));
  const url = `http://127.0.0.1:${server.address().port}`;
  const { bytes } = given.at(-1).bytes ? given.pop() : {}; // what stands behind the last word, as the shell writes it
  [answers, asked] = [given, []];
  const command = bytes ? ['bash', '-c', `exec "$0" "\${@:1:$#-1}" "\${@: -1}"$'${bytes}'`, PROGRAM] : [PROGRAM];
  const child = spawn(command[0], [...command.slice(1), '--url', url, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
  try {
    const result = await within(ended, 20000, () => `the end of revhook ${words.join(' ')}; ${stderr}`);
    assert.equal(result.signal, null, `revhook ${words.join(' ')}: ${stderr}`);
    return result;
  } finally {
    child.kill('SIGKILL');
  }
}

async function ok(words, ...given) {
  const result = await run(words, ...given);
  assert.equal(result.code, 0, `revhook ${words.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

async function refused(words, said, ...given) {
  const result = await run(words, ...given);
  assert.equal(result.code, 1, `revhook ${words.join(' ')}: ${result.stdout}${result.stderr}`);
  assert.match(result.stderr, said);
  return result;
}

describe('what is asked', () => {
  proves('a word behind -- is no option, and a lone - is a word', async () => {
    for (const [words, id] of [[['--', '-x'], '-x'], [['-'], '-'], [['--', '--', 'x'], null]]) {
      const result = await run(['webhooks', 'get', ...words], [200, {}]);
      assert.equal(result.code, id ? 0 : 2, result.stderr);
      assert.deepEqual(asked.map((call) => JSON.parse(call.body).id), id ? [id] : []);
    }
    assert.match(await ok(['clock', '-h'], [200, {}]), /^ {2}clock advance/m);
    assert.match(await ok(['clock', 'get', '-h'], [200, {}]), /^usage: revhook clock get/);
    assert.match(await ok(['-h'], [200, {}]), /^usage: revhook /);
    assert.equal(asked.length, 0);
  });

  proves('what is not UTF-8 is refused before anything is asked', async () => {
    for (const words of [
      ['webhooks', 'get', ''], ['webhooks', 'create', '--url', ''], ['webhooks', 'create', '--url', 'u', '--secret', ''],
      ['webhooks', 'create', '--url', 'u', '--event-types', 'a,'], ['webhooks', 'create', '--url', 'u', '--header', 'N: '],
      ['webhooks', 'create', '--url', 'u', '--header', 'N: v', '--header', ': v'], ['webhooks', 'list', '--status', ''], ['webhooks', 'wait', ''],
      ['webhooks', 'update', 'x', '--url', ''], ['webhooks', 'update', 'x', '--secret', ''], ['webhooks', 'update', 'x', '--add-event-types', ''],
      ['webhooks', 'update', 'x', '--remove-event-types', ''], ['webhooks', 'update', 'x', '--set-event-types', ''], ['webhooks', 'update', 'x', '--add-header', 'N: '],
      ['webhooks', 'update', 'x', '--set-header', 'N: '], ['webhooks', 'update', 'x', '--remove-header', ''], ['webhooks', 'delete', ''],
      ['events', 'get', ''], ['events', 'list', '--type', ''], ['events', 'list', '--cursor', ''], ['deliveries', 'get', ''], ['deliveries', 'list', '--webhook', ''],
      ['deliveries', 'list', '--event', ''], ['deliveries', 'list', '--state', ''], ['deliveries', 'redeliver', ''], ['trigger', ''],
    ]) {
      const result = await run(words, [200, {}], { bytes: '\\xff' });
      assert.equal(result.code, 2, `${words.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, /UTF-8|Name: value|empty or invalid word/, words.join(' '));
      assert.equal(asked.length, 0, `${words.join(' ')}: ${JSON.stringify(asked)}`);
    }
  });

  proves('a file that cannot be read, and the line of one that is refused', async () => {
    const folder = tempDir();
    const file = path.join(folder, 'events');
    try {
      for (const words of [['t', '--data', '@/nonexistent'], ['--file', '/nonexistent']]) await refused(['publish', ...words], /cannot open \/nonexistent: /, [202, {}]);
      for (const words of [['t', '--data', `@${folder}`], ['--file', folder]]) await refused(['publish', ...words], /cannot read .*: Is a directory/, [202, {}]);
      assert.equal(asked.length, 0);
      fs.writeFileSync(file, '{"type":"a"}\n \t\n{"type":"b"}\nno event\n');
      const broken = await refused(['publish', '--file', file], /line 4: not one JSON object\n0 events were published, 2 before this line were not\n$/, [202, {}]);
      assert.equal(broken.stdout + asked.length, '0');
      const half = await refused(['publish', '--file', file, '--batch', '1'], /1 events were published, 1 before this line were not\n$/, [202, { events: [{}] }]);
      assert.equal(half.stdout.split('\n').length + asked.length, 3);
      fs.writeFileSync(file, '\n{"type":"a"}\n{"type":"b"}\n{"type":"c"}\n');
      await refused(['publish', '--file', file], /\nevents\[1\] is line 3\n$/, [400, { type: 't', field_name: 'events[1].b' }]);
      for (const field of ['events[3].b', 'events[-1]', 'events', 'type']) {
        assert.doesNotMatch((await refused(['publish', '--file', file], /400 t, field /, [400, { type: 't', field_name: field }])).stderr, /is line/);
      }
      await refused(['publish', '--file', file, '--batch', '2'], /events\[0\] is line 4\n2 events were published before this request, none of it\n$/, [202, { events: [{}, {}] }], [400, { type: 't', field_name: 'events[0]' }]);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('an answer with other members than expected', () => {
  proves('a webhook: what there is, and no more', async () => {
    assert.equal(await ok(['webhooks', 'get', 'x'], [200, {}]), 'event types   (none)\n');
    const webhook = {
      id: 7, url: 1.5, status: true, created_date: '2026-01-01T00:00:00.123456Z', modified_date: '2026-01-01T00:00:00.1Z',
      health: { state: 'degraded', consecutive_failures: false, last_success_at: `2026-01-01T00:00:00.123456+${'0'.repeat(40)}`, next_verify_at: '2026.x' },
      event_types: ['a', 'b'], headers: [{}, { name: 'N', value: 'v' }], signature: { encoding: 5, key: 'string' }, secret: 's3cret',
    };
    const text = await ok(['webhooks', 'get', 'x'], [200, { webhook }]);
    assert.deepEqual(text.split('\n').map((line) => line.replace(/ +/g, ' ')), [
      'webhook 7', 'url 1.5', 'status true', 'health degraded', 'failures false', 'next verify 2026.x', `last success ${webhook.health.last_success_at}`,
      'event types a', ' b', 'headers ?: (hidden)', ' N: (hidden)', 'signature encoding=?,key=string', 'created 2026-01-01T00:00:00.123Z',
      'modified 2026-01-01T00:00:00.1Z', '',
    ]);
    const health = { since: 'then', reason: 'no answer' };
    assert.doesNotMatch(await ok(['webhooks', 'get', 'x'], [200, { webhook: { health } }]), /then|no answer/, 'since when and why, of what?');
    health.state = 'degraded';
    assert.match(await ok(['webhooks', 'get', 'x'], [200, { webhook: { health } }]), /^health +degraded since then, no answer$/m);
    const shown = await ok(['webhooks', 'update', 'x', '--activate', '--show-secret'], [200, { webhook }]);
    assert.match(shown, /^secret +s3cret$/m);
    assert.match(shown, /^headers +\?: \(hidden\)\n +N: v$/m);
  });

  proves('rows of lists: a dash for what is missing', async () => {
    for (const [name, columns] of [['webhooks', 4], ['events', 4], ['deliveries', 5]]) {
      const text = await ok([name, 'list'], [200, { [name]: [{}, { id: '' }] }]);
      const [title, ...rows] = text.trimEnd().split('\n');
      assert.equal(rows.length, 2, text);
      for (const row of rows) assert.match(row, new RegExp(`^- (.* )?-$`), `${title}\n${row}`);
      assert.ok(title.split(/ {2,}/).length >= columns - 1, title);
      assert.equal((await run([name, 'list'], [200, {}])).code, 0);
    }
  });

  proves('attempts: status, reason and the first line of the answer, if there are any', async () => {
    const attempts = [
      {}, { n: 1, started_at: '2026-01-01T00:00:00.000Z', duration_ms: 12, http_status: 500, reason: 'http_status', response_body: 'one\r\ntwo', redelivery: true },
      { n: 2, reason: 'timeout', response_body: '' }, { n: 3, http_status: 200, response_body: 'x'.repeat(4000) }, { n: 4, response_body: 'whole\n' },
    ];
    const lines = (await ok(['deliveries', 'get', 'x'], [200, { delivery: { attempts } }])).split('\n');
    assert.match(lines[0], /^attempt \? +- {2}- ms *$/);
    assert.match(lines[1], /^attempt 1 +2026-01-01T00:00:00.000Z {2}12 ms {2}500 http_status {2}\(redelivery\) {2}\| one \.\.\.$/);
    assert.match(lines[2], /^attempt 2 +- {2}- ms {2}timeout$/);
    assert.match(lines[3], /\| x+ \.\.\.$/);
    assert.ok(lines[3].length < 1000, 'cut to what can be read');
    assert.match(lines[4], /\| whole$/);
    assert.equal(await ok(['deliveries', 'get', 'x'], [200, { delivery: { attempt_count: 4 } }]), 'attempts      4\n');
  });

  proves('an event: its object as it stands, or a word that there is none', async () => {
    const text = await ok(['events', 'get', 'x'], [200, '{"event":{"id":12,"type":"t","t":{"n":1.00}}}']);
    assert.match(text, /^event +12\ntype +t\nt\n {2}\{\n {4}"n": 1\.00\n {2}\}\n$/m);
    assert.equal(await ok(['events', 'get', 'x'], [200, { event: { type: 't', id: 'i'.repeat(2000) } }]), 'type          t\n');
    assert.equal(await ok(['events', 'get', 'x'], [200, { event: { type: 5 } }]), 'type          5\n');
    for (const answer of ['{}', '{"event":1', '[]', '', 'no JSON']) await refused(['events', 'get', 'x'], /holds no event/, [200, answer]);
    for (const answer of ['{}', '{"event":{"t":1}}']) await refused(['trigger', 't'], /holds no event of this type/, [200, answer]);
  });

  proves('what was published, and the clock', async () => {
    assert.equal(await ok(['publish', 't'], [202, { event: {} }]), '-  -  0 deliveries\n');
    const again = await run(['publish', 't', '--idempotency-key', 'k'], [202, { event: { id: 'i', type: 't', deliveries: 1 } }, { 'Idempotent-Replayed': ' \tTrue \t' }]);
    assert.equal(again.stdout, 'i  t  1 delivery\n');
    assert.match(again.stderr, /this key was used before/);
    const fresh = await run(['publish', 't', '--idempotency-key', 'k'], [202, { event: { id: 'i', deliveries: 1 } }, { 'Idempotent-Replayed': 'false' }]);
    assert.doesNotMatch(fresh.stderr, /used before/);
    assert.equal(await ok(['clock', 'get'], [200, {}]), 'next          (nothing is waiting)\n');
    await refused(['webhooks', 'wait', 'x', '--timeout', '0'], /still \? \(health \?\) after 0 s, not active/, [200, {}]);
    assert.match(await ok(['webhooks', 'wait', 'x', '--status', 'degraded'], [200, { webhook: {} }], [200, { webhook: { health: { state: 'degraded' } } }]), /degraded/);
    assert.equal(asked.length, 2, 'asked again until it was so');
  });
});

describe('an answer that is a mistake', () => {
  proves('a list that goes round in a circle is left', async () => {
    const { stdout } = await refused(['events', 'list', '--all'], /gave the same cursor twice/, [200, { events: [{ id: 'i' }], next_cursor: 'c' }]);
    assert.equal(stdout.match(/ i$/gm).length, 2);
    assert.deepEqual(asked.map((call) => JSON.parse(call.body).cursor), [undefined, 'c']);
    const more = await run(['events', 'list', '--limit', '7'], [200, { events: [], next_cursor: 'c' }]);
    assert.match(more.stderr, /there are more: --cursor c/);
    assert.equal(JSON.parse(asked[0].body).limit, 7);
    assert.doesNotMatch((await run(['events', 'list', '--json'], [200, { events: [], next_cursor: 'c' }])).stderr, /more/);
    assert.doesNotMatch((await run(['events', 'list'], [200, { events: [], next_cursor: '' }])).stderr, /more/);
  });

  proves('what is not JSON is said to be none', async () => {
    for (const words of [['webhooks', 'get', 'x'], ['clock', 'get'], ['publish', 't'], ['webhooks', 'wait', 'x']]) {
      await refused(words, /answered 200 with something that is not JSON; is this a revhook service\?/, [200, '<html>']);
      await refused(words, /not JSON/, [200, '']);
      await refused(words, /: 502 \(no JSON error body\)\n/, [502, 'Bad Gateway']);
    }
    assert.match(await ok(['webhooks', 'get', 'x'], [200, `{"webhook":{"id":${'9'.repeat(30)}}}`]), /^webhook +1e\+30$/m, 'a number beyond every integer is a number');
  });

  proves('a refusal: all that it says, once', async () => {
    const said = async (error, status = 400, words = ['webhooks', 'get', 'x']) => (await refused(words, /^revhook: /, [status, error])).stderr;
    assert.equal(await said({}), 'revhook: webhooks.get: 400 (no JSON error body)\n');
    assert.equal(await said({ message: 'm', field_name: 'f', value: 3, reason: 'r', detail: 'r' }), 'revhook: webhooks.get: 400 m, field f: r\n');
    assert.equal(await said({ type: 't', value: 'v', reason: 'r', detail: 'd', expected: 'e' }), 'revhook: webhooks.get: 400 t, value v: r: d\n');
    assert.equal(await said({ type: 't', expected: 'e', actual: 'a', reason: 'r' }), 'revhook: webhooks.get: 400 t, expected e, got a: r\n');
    assert.doesNotMatch(await said({ type: 'invalid_enum_value', allowed_values: ['a'] }), /allowed/, 'in place of what?');
    assert.match(await said({ type: 'invalid_enum_value', value: 'x', allowed_values: ['a', 5, 'b'] }), /\nallowed: a b\n$/);
    assert.doesNotMatch(await said({ type: 'invalid_enum_value', value: 'x', allowed_values: [] }), /allowed/);
    assert.match(await said({ type: 'invalid_enum_value', value: 'work', allowed_values: ['work_x', 1, ...'bcdefghijkl'] }), /\ndid you mean: work_x\n$/);
    assert.match(await said({ type: 'missing_required_field' }, 400, ['publish', 't']), /\n.*revhook trigger TYPE\n$/);
    assert.doesNotMatch(await said({ type: 'missing_required_field' }), /trigger/);
    assert.match(await said({ type: 'not_found' }, 404, ['clock', 'get']), /--clock virtual/);
    assert.doesNotMatch(await said({ type: 'not_found' }, 404), /--clock virtual/);
  });

  proves('no answer at all: the connection is closed', async () => {
    const silent = http.createServer((request) => request.socket.destroy());
    await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      await refused(['--url', `http://127.0.0.1:${silent.address().port}//`, 'clock', 'get'], /127\.0\.0\.1:\d+\/\/\/clock\.get: /, [200, {}]);
    } finally {
      silent.close();
    }
  });

  proves('what would move a terminal is a question mark', async () => {
    const text = await ok(['webhooks', 'get', 'x'], [200, { webhook: { url: 'a\u001b[2J\u007f\u009b\u0085b\u00a0é' } }]);
    assert.match(text, /^url +a\?\[2J\?\?\?b\u00a0é$/m);
    const { stderr } = await refused(['webhooks', 'get', 'x'], /400 a\?b/, [400, { type: 'a\u0007b', field_name: 'c\u009bd', detail: '\u001b]0;x' }]);
    assert.match(stderr, /field c\?d: \?\]0;x\n$/);
    assert.match(await ok(['events', 'get', 'x'], [200, Buffer.from('{"event":{"type":"t","t":"\x1b[1m\x7f"}}')]), /^ {2}"\?\[1m\?"$/m);
  });
});
