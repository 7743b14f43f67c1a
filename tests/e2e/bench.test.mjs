// `revhook bench` at its smallest: what it writes, what it leaves behind, and how it ends. No figure is judged here.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe } from 'node:test';
import { BINARY, startDaemon, tempDir, TOKEN } from './lib/daemon.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { proves } from './lib/suite.mjs';
import { until, within } from './lib/wait.mjs';

const PROGRAM = path.resolve(process.env.REVHOOK ?? path.join(path.dirname(BINARY), 'revhook'));
const END_MS = 50000;

function start(args) {
  const child = spawn(PROGRAM, ['bench', '--daemon', BINARY, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const self = { child, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (self.stdout += chunk));
  child.stderr.on('data', (chunk) => (self.stderr += chunk));
  self.ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout: self.stdout, stderr: self.stderr }));
  });
  return self;
}

async function run(args) {
  const running = start(args);
  try {
    return await within(running.ended, END_MS, () => `the end of revhook bench ${args.join(' ')}; ${running.stderr}`);
  } finally {
    running.child.kill('SIGKILL');
  }
}

/** The smallest bench with these runs; its folder is new and must be empty afterwards. */
async function bench(only, ...more) {
  const dir = tempDir();
  const file = path.join(tempDir(), 'bench.json');
  const result = await run(['--only', only, '--rounds', '1', '--measure-ms', '200', '--dir', dir, '--json', file, ...more]);
  assert.deepEqual(fs.readdirSync(dir), [], 'nothing is left behind');
  assert.deepEqual(processesOf(dir), []);
  return { ...result, report: fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : null };
}

/** Processes whose command line names a folder, and the programs' other processes that it started. */
function processesOf(dir) {
  return fs.readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

function assertSpread(spread, what) {
  for (const key of ['median', 'min', 'max']) assert.ok(spread[key] > 0, `${what}.${key}: ${spread[key]}`);
  assert.equal(spread.rounds.length, 1, what);
}

describe('revhook bench', () => {
  proves('writes what it measured and nothing else, and leaves nothing behind', async () => {
    const baseline = path.join(tempDir(), 'baseline.json');
    const against = (value) => {
      fs.writeFileSync(baseline, JSON.stringify({ ratios: [{ name: 'single_over_batches', value, better: 'higher' }] }));
      return ['--check', baseline];
    };
    const { code, stdout, stderr, report } = await bench('batches,single,curl,hmac', ...against(0.0001));
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^baseline: single_over_batches .*kept$/m);
    assert.equal(report.faults, 0, `everything that was accepted arrived, signed: ${stderr}`);
    assert.equal(report.rounds, 1);
    assert.ok(report.machine.processors >= 1 && report.machine.processors <= 2);
    assert.deepEqual(report.runs.map((r) => r.name), ['batches', 'single']);
    for (const row of report.runs) {
      for (const figure of ['deliveries_per_second', 'cpu_us', 'cpu_api_us', 'cpu_writer_us', 'cpu_senders_us', 'sink_us', 'publisher_us', 'rss_idle_mb', 'rss_peak_mb']) {
        assertSpread(row[figure], `${row.name}.${figure}`);
      }
      const { cpu_us: all, cpu_api_us: api, cpu_writer_us: writer, cpu_senders_us: senders } = row;
      assert.ok(api.median + writer.median + senders.median <= all.median * 1.001, 'the parts are no more than the whole');
    }
    assert.equal(report.runs[0].histogram_ms, undefined, 'by schedule alone');
    assert.equal(report.runs[0].p50_ms, undefined, 'of what was stopped in between it would say nothing');
    assert.deepEqual(report.ceilings.map((c) => c.name), ['curl', 'hmac']);
    for (const row of report.ceilings) for (const figure of ['cpu_us', 'rate']) assertSpread(row[figure], `${row.name}.${figure}`);
    const targets = new Map(report.targets.map((t) => [t.name, t]));
    assert.deepEqual([...targets.keys()].sort(), ['over_curl', 'rss_busy_mb', 'rss_idle_mb', 'single_over_batches']);
    for (const t of targets.values()) {
      assert.equal(typeof t.value, 'number');
      assert.equal(t.met, t.bound === 'at least' ? t.value >= t.target : t.value <= t.target, t.name);
      assert.equal(typeof t.reason, t.met ? 'undefined' : 'string', `${t.name}: a reason for what is missed, and for nothing else`);
      assert.match(stdout, new RegExp(`^  ${t.name} .*[<>]= .*${t.met ? 'yes' : 'NO'}$`, 'm'));
    }
    const [batches, single] = report.runs.map((r) => r.deliveries_per_second.median);
    assert.ok(Math.abs(targets.get('single_over_batches').value - single / batches) < 0.001);
    assert.deepEqual(report.ratios.map((r) => r.name), ['over_curl', 'single_over_batches']);

    const { report: latency } = await bench('latency_1000');
    const [run] = latency.runs;
    for (const figure of ['p50_ms', 'p99_ms', 'p999_ms']) assertSpread(run[figure], figure);
    let below = 0;
    for (const [ms, count] of run.histogram_ms) {
      assert.ok(ms > below && count > 0);
      below = ms;
    }
    assert.deepEqual(latency.targets.map((t) => t.name), ['latency_p50_ms', 'latency_p99_ms', 'latency_p999_ms']);
    assert.ok(run.p50_ms.median <= run.p99_ms.median && run.p99_ms.median <= run.p999_ms.median);

    const failed = await bench('batches,single', ...against(1000));
    assert.equal(failed.code, 1, 'a ratio more than 25 % under the baseline');
    assert.match(failed.stdout, /^baseline: single_over_batches .*WORSE$/m);
  });

  proves('measures every ceiling, endpoints with TLS or that hang, and a store with rows', async () => {
    const ceilings = ['epoll', 'curl_1000', 'curl_tls', 'h2o', 'h2o_publish', 'store', 'scan'];
    const { code, stdout, stderr, report } = await bench([...ceilings, 'tls', 'half_hanging', 'rows_10k'].join(','), '--guard');
    assert.equal(code, 0, stderr);
    assert.equal(report.faults, 0, `everything that was accepted arrived, signed: ${stderr}`);
    assert.deepEqual(report.ceilings.map((c) => c.name), ceilings);
    for (const row of report.ceilings) for (const figure of ['cpu_us', 'rate']) assertSpread(row[figure], `${row.name}.${figure}`);
    assert.deepEqual(report.runs.map((r) => r.name), ['tls', 'half_hanging', 'rows_10k']);
    for (const row of report.runs) {
      assertSpread(row.deliveries_per_second, row.name);
      assert.match(stdout, new RegExp(`^ +${row.name} `, 'm'));
    }
    const list = await run(['--list']);
    assert.equal(list.code, 0, list.stderr);
    for (const { name } of [...report.ceilings, ...report.runs]) assert.match(list.stdout, new RegExp(`^  ${name} `, 'm'));
  });

  proves('ends with everything that it started when it is asked to, or killed', async () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL']) {
      const dir = tempDir();
      const running = start(['--only', 'batches,single,curl', '--measure-ms', '60000', '--dir', dir]);
      try {
        await until(() => running.stderr.includes('in turn ..'), 30000, () => `slices in turn; ${running.stderr}`);
        assert.ok(processesOf(dir).length >= 9, 'two daemons, two publishers, a client, three sinks and the bench');
        running.child.kill(signal);
        const { code } = await within(running.ended, 15000, `the end after ${signal}`);
        assert.equal(code, signal === 'SIGKILL' ? null : 1);
        await until(() => processesOf(dir).length === 0, 5000, () => `no process left after ${signal}, saw ${processesOf(dir)}`);
        if (signal !== 'SIGKILL') assert.deepEqual(fs.readdirSync(dir), []);
      } finally {
        running.child.kill('SIGKILL');
      }
    }
  });

  proves('measures another service beside this one', async () => {
    const receiver = await startReceiver();
    const daemon = await startDaemon({ clock: 'real' });
    try {
      const { id } = await daemon.createWebhook({ url: receiver.endpoint('/').url, event_types: ['account_created'] });
      await daemon.waitActive(id);
      await receiver.close();
      const { code, stdout, stderr, report } = await bench(
        'hmac', '--peer', 'another', '--url', `${daemon.url}/events.publish`, '--header', `Authorization: Bearer ${TOKEN}`,
        '--header', 'Content-Type: application/json', '--body', '{"type":"{type}","{type}":{payload}}', '--sink-port', String(receiver.port),
      );
      assert.equal(code, 0, stderr);
      assert.deepEqual(report.runs.map((r) => r.name), ['own_like_peer', 'peer']);
      for (const row of report.runs) assertSpread(row.deliveries_per_second, row.name);
      assert.match(stdout, /^ {2}another /m);
      assert.equal(report.faults, 0, stderr);
    } finally {
      await daemon.end();
    }
  });

  proves('says what is wrong', async () => {
    for (const [args, code, words] of [
      [['--only', 'nothing'], 2, /there is no run or ceiling 'nothing'/],
      [['--quick', '--long'], 2, /one of --guard, --quick and --long/],
      [['--check', '/nonexistent.json'], 1, /nonexistent\.json/],
      [['--only', 'batches', '--dir', '/nonexistent'], 1, /cannot make a folder in \/nonexistent/],
    ]) {
      const result = await run(args);
      assert.equal(result.code, code, `${args}: ${result.stderr}`);
      assert.match(result.stderr, words);
    }
    const missing = spawn(PROGRAM, ['bench', '--only', 'batches', '--daemon', '/nonexistent', '--dir', tempDir()]);
    let stderr = '';
    missing.stderr.on('data', (chunk) => (stderr += chunk));
    const code = await within(new Promise((resolve) => missing.on('close', resolve)), END_MS, 'its end');
    assert.equal(code, 1);
    assert.match(stderr, /\/nonexistent does not start/);
  });
});
