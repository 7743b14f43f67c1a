// The program itself: its options and settings, start errors, its life and end, health and metrics, what it logs and
// what it must never log.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe } from 'node:test';
import { runToEnd, startDaemon, tempDir } from './lib/daemon.mjs';
import { event, events } from './lib/shapes.mjs';
import { inWorld, proves } from './lib/suite.mjs';
import { until, within } from './lib/wait.mjs';

/** A folder for one test, removed afterwards. */
async function inFolder(fn) {
  const dir = tempDir();
  try {
    return await fn(dir);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

/** --print-config as a map: key -> {value, source}. */
function settings(stdout) {
  const map = {};
  let source = null;
  for (const line of stdout.split('\n')) {
    const told = /^# source: (.*)$/.exec(line);
    if (told) source = told[1];
    const row = /^(?:# )?([a-z_]+) = (.*)$/.exec(line);
    if (row && source !== null) {
      map[row[1]] = { value: row[2], source };
      source = null;
    }
  }
  return map;
}

describe('--help, --version, --print-config', () => {
  proves('--help names every option and setting on stdout and exits 0', async () => {
    const { code, stdout, stderr } = await runToEnd(['--help']);
    assert.deepEqual([code, stderr], [0, '']);
    for (const word of ['--dev', '--listen', '--data', '--clock', '--config', '--set', '--print-config', '--help', '--version', 'REVHOOK_', 'attempt_timeout_ms', 'retry_delays_ms']) {
      assert.ok(stdout.includes(word), `--help names ${word}:\n${stdout}`);
    }
  });

  proves('--version prints one line and exits 0', async () => {
    const { code, stdout, stderr } = await runToEnd(['--version']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^revhookd \d+\.\d+\.\d+\S*\n$/);
  });

  proves('--print-config shows each setting with its value and source; the strongest source counts', () => inFolder(async (dir) => {
    const file = path.join(dir, 'revhook.conf');
    fs.writeFileSync(file, '# a comment\n\nattempt_timeout_ms = 1111\n  senders=3  \nretry_delays_ms = 1,2,3\ndegrade_after = 7\n');
    const env = { REVHOOK_SENDERS: '4', REVHOOK_DEGRADE_AFTER: '8', REVHOOK_TOKEN: 'canary-token' };
    const { code, stdout, stderr } = await runToEnd(['--config', file, '--set', 'degrade_after=9', '--listen', '127.0.0.1:0', '--print-config'], { env });
    assert.deepEqual([code, stderr], [0, ''], stdout + stderr);
    const shown = settings(stdout);
    const expected = {
      verify_window_ms: ['180000', /^default$/],
      in_flight_per_webhook_max: ['32', /^default$/],
      attempt_timeout_ms: ['1111', /file/],
      retry_delays_ms: ['1,2,3', /file/],
      senders: ['4', /env/],
      degrade_after: ['9', /--set|command line/],
      listen: ['127.0.0.1:0', /--set|--listen|command line/],
    };
    for (const [key, [value, source]] of Object.entries(expected)) {
      assert.equal(shown[key]?.value, value, `${key}\n${stdout}`);
      assert.match(shown[key].source, source, key);
    }
    assert.ok(!stdout.includes('canary-token'), 'the token is not printed');
    assert.match(shown.token.source, /env/);
  }));

  proves('what --print-config prints is a --config file that says the same', () => inFolder(async (dir) => {
    const first = await runToEnd(['--dev', '--set', 'senders=5', '--print-config']);
    const file = path.join(dir, 'printed.conf');
    fs.writeFileSync(file, first.stdout);
    const second = await runToEnd(['--dev', '--config', file, '--print-config']);
    assert.equal(second.code, 0, second.stderr);
    const values = (out) => Object.fromEntries(Object.entries(settings(out)).map(([key, { value }]) => [key, value]));
    assert.deepEqual(values(second.stdout), values(first.stdout));
  }));
});

describe('a start that must fail', () => {
  const start = ['--dev', '--listen', '127.0.0.1:0'];
  const cases = [
    ['an unknown option', ['--bogus'], {}, /--bogus/],
    ['a stray word', ['bogus'], {}, /bogus/],
    ['--set without a value', ['--set', 'senders'], {}, /senders/],
    ['--set at the end', ['--set'], {}, /--set/],
    ['--config at the end', ['--config'], {}, /--config/],
    ['an unknown key in --set', ['--set', 'bogus_key=1'], {}, /bogus_key/],
    ['an unknown key in the environment', [], { REVHOOK_BOGUS_KEY: '1' }, /BOGUS_KEY/i],
    ['a number below its bound', ['--set', 'attempt_timeout_ms=1'], {}, /attempt_timeout_ms.*100/s],
    ['a number above its bound', ['--set', 'senders=65'], {}, /senders.*64/s],
    ['a number with letters', ['--set', 'senders=2x'], {}, /senders/],
    ['an empty number', ['--set', 'senders='], {}, /senders/],
    ['a number beyond 64 bits', ['--set', 'senders=99999999999999999999999'], {}, /senders/],
    ['a bool that is none', ['--set', 'top_level_challenge=maybe'], {}, /top_level_challenge/],
    ['a span that is negative', ['--set', 'retry_delays_ms=30000,-1'], {}, /retry_delays_ms/],
    ['a value out of bounds in the environment', [], { REVHOOK_DEGRADE_AFTER: '0' }, /DEGRADE_AFTER/i],
    ['a clock that is neither real nor virtual', ['--clock', 'sundial'], {}, /clock/],
    ['a listen address without a port', ['--listen', '127.0.0.1'], {}, /listen/],
    ['a port over 65535', ['--listen', '127.0.0.1:65536'], {}, /listen/],
    ['a config file that is not there', ['--config', '/nonexistent/revhook.conf'], {}, /\/nonexistent\/revhook\.conf/],
    ['a data folder that cannot be made', ['--data', '/proc/revhook-e2e'], {}, /\/proc\/revhook-e2e/],
  ];
  for (const [what, args, env, told] of cases) {
    proves(`${what}: exit status not 0, a message on stderr, nothing on stdout`, () => inFolder(async (dir) => {
      const data = args.includes('--data') ? [] : ['--data', dir];
      const { code, stdout, stderr } = await runToEnd([...start, ...data, ...args], { env });
      assert.ok(code > 0 && code < 126, `exit status ${code}; stderr: ${stderr}`);
      assert.equal(stdout, '');
      assert.match(stderr, told);
    }));
  }

  const lines = [['bogus_key = 1', /bogus_key/], ['senders 4', /./], ['senders = 0', /senders/], ['= 4', /./], ['clock = sundial', /clock/]];
  for (const [line, told] of lines) {
    proves(`a config file with the line "${line}": the message names the file and line`, () => inFolder(async (dir) => {
      const file = path.join(dir, 'bad.conf');
      fs.writeFileSync(file, `# fine\ndegrade_after = 6\n${line}\n`);
      const { code, stdout, stderr } = await runToEnd([...start, '--data', path.join(dir, 'data'), '--config', file]);
      assert.ok(code > 0, `exit status ${code}`);
      assert.equal(stdout, '');
      assert.match(stderr, told);
      assert.match(stderr, /bad\.conf.*3/, 'names the file and the line');
    }));
  }

  proves('a port that is taken', () => inFolder(async (dir) => {
    const taken = net.createServer();
    await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = taken.address();
      const { code, stdout, stderr } = await runToEnd(['--dev', '--data', dir, '--listen', `127.0.0.1:${port}`]);
      assert.ok(code > 0, `exit status ${code}`);
      assert.equal(stdout, '');
      assert.match(stderr, new RegExp(String(port)));
    } finally {
      taken.close();
    }
  }));

  inWorld('a second daemon on the same data is refused, and the first goes on', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    const { code, stdout, stderr } = await runToEnd(['--dev', '--listen', '127.0.0.1:0', '--data', daemon.data]);
    assert.ok(code > 0, `exit status ${code}`);
    assert.equal(stdout, '');
    assert.ok(stderr.includes(daemon.data), `names the folder: ${stderr}`);
    assert.match(stderr, /lock|use|running|another|process/i);
    await daemon.publish(event());
    await daemon.settle();
    assert.equal(to.events().length, 1);
    await daemon.restart({ kill: true });
    await daemon.publish(event());
    await daemon.settle();
    assert.equal(to.events().length, 2, 'a lock left by a kill does not keep the next one out');
  });
});

describe('--dev, tokens, addresses', () => {
  proves('REVHOOK_TOKEN is the token instead of dev-token', async () => {
    const daemon = await startDaemon({ token: 'my-token', env: { REVHOOK_TOKEN: 'my-token' } });
    try {
      assert.equal((await daemon.call('webhooks.list', {})).status, 200);
      assert.equal((await daemon.call('webhooks.list', {}, { token: 'dev-token' })).status, 401);
    } finally {
      await daemon.end();
    }
  });

  inWorld('--dev says on stderr that it is developer mode, and what that allows', async ({ daemon }) => {
    await until(() => /developer_mode .*loopback and http allowed/.test(daemon.stderr), 2000, () => `a line about developer mode, saw ${daemon.stderr}`);
  });

  proves('without --dev and without a token it does not start', () => inFolder(async (dir) => {
    const { code, stdout, stderr } = await runToEnd(['--listen', '127.0.0.1:0', '--data', dir]);
    assert.ok(code > 0, `exit status ${code}`);
    assert.equal(stdout, '');
    assert.match(stderr, /token/i);
  }));

  proves('an IPv6 address in brackets is listened on and printed', async (t) => {
    const server = net.createServer();
    const has6 = await new Promise((resolve) => {
      server.on('error', () => resolve(false));
      server.listen(0, '::1', () => server.close(() => resolve(true)));
    });
    if (!has6) return t.skip('no IPv6 loopback here');
    const daemon = await startDaemon({ listen: '[::1]:0' });
    try {
      assert.match(daemon.url, /^http:\/\/\[::1\]:\d+$/);
      assert.equal((await daemon.call('webhooks.list', {})).status, 200);
    } finally {
      await daemon.end();
    }
  });

  inWorld('speaks HTTP/1.1 only: no upgrade to HTTP/2', async ({ daemon }) => {
    const upgraded = await daemon.raw(['GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n']);
    assert.notEqual(upgraded.status, 101);
  });
});

describe('healthz and metrics', () => {
  inWorld('GET /healthz is 200 without a token', async ({ daemon }) => {
    const res = await daemon.get('/healthz', { token: null });
    assert.equal(res.status, 200, res.text);
  });

  inWorld('GET /metrics counts what happened, in Prometheus text form', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    to.onEvent = (r) => (r.body.work_created.n === 0 ? { status: 500 } : {});
    await daemon.publishAll(events(3));
    await daemon.settle();
    const res = await daemon.get('/metrics');
    assert.equal(res.status, 200);
    assert.match(res.headers['content-type'], /^text\/plain/);
    const values = {};
    for (const line of res.text.split('\n').filter((l) => l && !l.startsWith('#'))) {
      assert.match(line, /^[a-z_:][a-z0-9_:]*(\{[^}]*\})? -?[0-9.e+]+$/i, `a line of the text form: ${line}`);
      const [name, value] = line.split(' ');
      values[name] = Number(value);
    }
    const expected = {
      revhook_events_accepted_total: 3, revhook_deliveries_created_total: 3, revhook_deliveries_delivered_total: 2, revhook_deliveries_open: 1, revhook_deliveries_failed_total: 0,
      revhook_attempts_total: 3, revhook_attempts_failed_total: 1, revhook_attempts_in_flight: 0, revhook_verifies_total: 1, revhook_verifies_failed_total: 0, revhook_webhooks: 1,
    };
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(values[name], value, name);
      assert.match(res.text, new RegExp(`^# TYPE ${name} (counter|gauge)$`, 'm'));
      assert.match(res.text, new RegExp(`^# HELP ${name} \\S`, 'm'));
    }
  });
});

describe('SIGTERM', () => {
  inWorld('an attempt in flight may end: its outcome is committed before the exit', { clock: 'real' }, async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.onEvent = { delayMs: 700 };
    const published = await daemon.publishAll(events(40));
    await to.waitEvents(32);
    await daemon.stop();
    assert.equal(to.events().length, 32, 'no further attempt starts');
    to.heal();
    await daemon.start();
    await to.waitEvents(40);
    for (const e of published) {
      const [{ id }] = await daemon.deliveries({ event: e.id, webhook: webhook.id });
      const d = await daemon.waitDelivery(id, 'delivered');
      assert.deepEqual([d.attempt_count, to.of(e).length], [1, 1], 'acknowledged before the end, so not sent again');
    }
  });

  inWorld('exit 0 within 5 s with hanging clients and a hanging receiver; what was cut off is sent again', { clock: 'real' }, async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    to.onEvent = { hang: true };
    await daemon.publishAll(events(5));
    await to.waitEvents(5);
    const clients = [];
    const { hostname, port } = new URL(daemon.url);
    for (const begin of ['', 'POST /events', 'POST /events.publish HTTP/1.1\r\nHost: x\r\nAuthorization: dev-token\r\nContent-Length: 1000\r\n\r\n{"type"', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n']) {
      for (let n = 0; n < 5; n++) {
        const socket = net.connect(Number(port), hostname);
        socket.on('error', () => {});
        await new Promise((resolve) => socket.on('connect', resolve));
        if (begin) socket.write(begin);
        clients.push(socket);
      }
    }
    try {
      const took = await daemon.stop();
      assert.ok(took < 5000, `${took.toFixed()} ms`);
    } finally {
      for (const socket of clients) socket.destroy();
    }
    await daemon.start();
    assert.equal((await daemon.deliveries()).length, 5);
  });

  inWorld('an idle service stops at once', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    await daemon.publish(event());
    await daemon.settle();
    const took = await daemon.stop();
    assert.ok(took < 1500, `${took.toFixed()} ms`);
    await daemon.start();
  });
});

describe('what is logged', () => {
  for (const format of ['plain', 'json']) {
    const canaries = { token: 'canary-token-1', secret: 'canary-secret-2', header: 'canary-header-3', payload: 'canary-payload-4', answer: 'canary-answer-5', query: 'canary-query-6' };
    inWorld(`never a secret, token, challenge, header value, body or answer (${format}, at level trace)`, { token: canaries.token, env: { REVHOOK_TOKEN: canaries.token }, set: { log_level: 'trace', log_format: format } }, async ({ daemon, to }) => {
      const webhook = await daemon.activeWebhook(to, { secret: canaries.secret, headers: [{ name: 'x-key', value: canaries.header }] });
      to.breakAll({ status: 500, body: canaries.answer });
      await daemon.publishAll(events(5, 'work_created', () => ({ text: canaries.payload })));
      await daemon.settle();
      await daemon.advance(210000);
      await daemon.call('webhooks.create', { url: 'http://127.0.0.1:1/', secret: canaries.secret, bogus: canaries.payload });
      await daemon.call('webhooks.list', `{"broken":"${canaries.payload}`);
      await daemon.get(`webhooks.get?id=${canaries.query}`);
      await daemon.call('webhooks.list', {}, { token: 'canary-wrong-7' });
      const generated = (await daemon.update(webhook.id, { secret: '' })).secret;
      await to.waitVerifies(3);
      await daemon.stop();
      assert.ok(daemon.stderr.includes(webhook.id.split('/').pop()), 'the log does speak of the webhook');
      assert.ok(/attempt_started.*attempt_recorded/s.test(daemon.stderr), 'and of its attempts');
      const words = [...Object.values(canaries), 'canary-wrong-7', generated, ...to.requests.map((r) => r.signature), ...to.verifies().map((r) => r.challenge)];
      for (const word of words) assert.ok(!daemon.stderr.includes(word), `the log contains ${word}`);
      if (format === 'json') {
        for (const line of daemon.stderr.split('\n').filter(Boolean)) {
          assert.doesNotThrow(() => JSON.parse(line), `a JSON log line: ${line}`);
        }
      }
      await daemon.start();
    });
  }
});

describe('clients that misbehave', () => {
  inWorld('half requests and slow readers do not keep others waiting', async ({ daemon }) => {
    const { hostname, port } = new URL(daemon.url);
    const sockets = [];
    try {
      for (let n = 0; n < 100; n++) {
        const socket = net.connect(Number(port), hostname);
        socket.on('error', () => {});
        socket.write('POST /events.publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
        sockets.push(socket);
      }
      await within(Promise.all(Array.from({ length: 20 }, () => daemon.publish(event()))), 3000, '20 publishes beside 100 half requests');
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    assert.equal((await daemon.events()).length, 20);
  });

  inWorld('a client that goes away before its answer does no harm: its event is stored whole or not at all', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    const { hostname, port } = new URL(daemon.url);
    const body = JSON.stringify(event());
    for (let n = 0; n < 50; n++) {
      const socket = net.connect(Number(port), hostname);
      socket.on('error', () => {});
      await new Promise((resolve) => socket.on('connect', resolve));
      socket.write(`POST /events.publish HTTP/1.1\r\nHost: x\r\nAuthorization: dev-token\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, n % 2 ? undefined : 20)}`, () => socket.destroy());
      await new Promise((resolve) => socket.on('close', resolve));
    }
    await daemon.publish(event());
    await daemon.settle();
    const stored = await daemon.events();
    assert.ok(stored.length >= 1 && stored.length <= 26, `${stored.length} events`);
    assert.deepEqual(to.events().length, stored.length);
  });
});

describe('what the process gives up', () => {
  inWorld('it may write its data directory alone, and says so', async ({ daemon }) => {
    const status = fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8');
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(daemon.stderr, /info confined uid=\d+ files="(the data directory|the kernel [^"]+)"/);
  });

  proves('started as root with a user it becomes that user, who owns the data', async (t) => {
    if (process.getuid() !== 0) return t.skip('not root');
    const parent = tempDir();
    fs.chmodSync(parent, 0o755);
    t.after(() => fs.rmSync(parent, { recursive: true, force: true }));
    const daemon = await startDaemon({ data: path.join(parent, 'data'), set: { user: 'nobody' } });
    try {
      assert.match(fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'), /^Uid:\t(?!0\t)(\d+)\t\1\t\1\t\1$/m);
      await daemon.publish(event());
      assert.notEqual(fs.statSync(path.join(parent, 'data', 'revhook.db')).uid, 0);
    } finally {
      await daemon.end();
    }
    const { code, stderr } = await runToEnd(['--dev', '--listen', '127.0.0.1:0', '--data', parent, '--set', 'user=nobody']);
    assert.equal(code, 1);
    assert.match(stderr, /does not belong to nobody; chown -R nobody/);
  });
});
