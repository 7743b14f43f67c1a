// revhookd as a child process: started on a port of its own choosing and a data folder of its own, spoken to
// over its HTTP API alone, stopped or killed by its pid. What it wrote to stderr is kept for failure messages.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { closeIdleConnections, raw, request } from './http.mjs';
import { until, within } from './wait.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

export const BINARY = path.resolve(process.env.REVHOOKD ?? path.join(here, '../../../build/revhookd'));
export const TOKEN = 'dev-token';
export const READY_MS = 10000;
export const STOP_MS = 5000;

const SANITIZER = /ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer/;
const LISTENING = /^listening on (https?:\/\/\S+:\d+)$/;

/** Every daemon of this test file that may still have something to tell. */
const daemons = new Set();

/** A copy of the program in a folder that every user may look into, which that of the build need not be. */
let copied;
function binaryForOthers() {
  if (!copied) {
    copied = path.join(tempDir(), 'revhookd');
    fs.chmodSync(path.dirname(copied), 0o755);
    fs.copyFileSync(BINARY, copied);
    fs.chmodSync(copied, 0o755);
  }
  return copied;
}

process.on('exit', () => {
  if (copied) fs.rmSync(path.dirname(copied), { recursive: true, force: true });
  for (const daemon of daemons) {
    daemon.child?.kill('SIGKILL');
    daemon.removeData();
  }
});

/** The stderr of the daemons in use, for the end of a failure message. */
export function stderrTails(lines = 40) {
  return [...daemons].map((daemon) => daemon.stderrTail(lines)).join('\n');
}

/** The environment without what would configure the daemon or lead its requests astray. */
function cleanEnv(extra = {}) {
  const env = {};
  for (const [key, value] of Object.entries(process.env)) {
    if (!/^REVHOOK/i.test(key) && !/^(https?|all|no)_proxy$/i.test(key)) env[key] = value;
  }
  return { ...env, ...extra };
}

export function tempDir() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'revhook-e2e-'));
}

/**
 * Run the program to its end and return {code, signal, stdout, stderr}: for --help, and for starts that must
 * fail. `uid` is another user to run it as (for root alone). A run that is not over in `ms` is killed and is an error.
 */
export async function runToEnd(args, { env = {}, ms = READY_MS, uid } = {}) {
  const child = spawn(uid === undefined ? BINARY : binaryForOthers(), args, { env: cleanEnv(env), stdio: ['ignore', 'pipe', 'pipe'], uid });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  try {
    return await within(ended, ms, () => `the end of revhookd ${args.join(' ')}; stdout: ${stdout}; stderr: ${stderr}`);
  } finally {
    child.kill('SIGKILL');
  }
}

export class Daemon {
  constructor(options = {}) {
    this.options = options;
    this.token = options.token ?? TOKEN;
    this.ownsData = options.data === undefined;
    this.data = options.data ?? tempDir();
    this.stderr = '';
    this.stdout = '';
    this.child = null;
    this.url = null;
  }

  args() {
    const { dev = true, listen = '127.0.0.1:0', clock = 'virtual', set = {}, args = [] } = this.options;
    const out = dev ? ['--dev'] : [];
    out.push('--listen', listen, '--data', this.data);
    if (clock) out.push('--clock', clock);
    // A build that writes beside its data, as one for coverage does at its end, must be allowed to.
    if (process.env.REVHOOKD_SANDBOX === 'false') out.push('--set', 'sandbox=false');
    for (const [key, value] of Object.entries(set)) out.push('--set', `${key}=${value}`);
    return out.concat(args);
  }

  /** Start it and wait for its line on stdout. */
  async start() {
    daemons.add(this);
    assert.ok(fs.existsSync(BINARY), `no revhookd at ${BINARY}: build it, or name it in REVHOOKD`);
    const [command, ...args] = [...(this.options.under ?? []), BINARY, ...this.args()]; // under: what executes it
    const child = spawn(command, args, {
      env: cleanEnv(this.options.env),
      stdio: ['ignore', 'pipe', this.options.stderrFd ?? 'pipe'],
    });
    this.child = child;
    this.stdout = '';
    child.stdout.on('data', (chunk) => (this.stdout += chunk));
    child.stderr?.on('data', (chunk) => (this.stderr += chunk));
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => resolve({ error }));
      child.on('close', (code, signal) => resolve({ code, signal }));
    });
    let exit = null;
    this.exited.then((how) => (exit = how));
    await until(
      () => this.stdout.includes('\n') || exit,
      READY_MS,
      () => `its line on stdout, saw ${JSON.stringify(this.stdout)}\n${this.stderrTail()}`,
    );
    assert.equal(exit, null, `revhookd ended instead of starting: ${JSON.stringify(exit)}\n${this.stderrTail()}`);
    const line = this.stdout.split('\n')[0];
    const match = LISTENING.exec(line);
    assert.ok(match, `expected "listening on http://HOST:PORT", saw ${JSON.stringify(line)}`);
    this.url = match[1];
    return this;
  }

  stderrTail(lines = 40) {
    const all = this.stderr.split('\n');
    return `--- stderr of revhookd ${this.data} (last ${lines} lines)\n${all.slice(-lines - 1).join('\n')}---`;
  }

  assertNoSanitizerReport() {
    assert.ok(!SANITIZER.test(this.stderr), `a sanitizer reported:\n${this.stderr.slice(-8000)}`);
  }

  /** SIGTERM; it must exit 0 within 5 s having printed its one line and nothing else. Returns the time it took. */
  async stop() {
    const began = performance.now();
    this.child.kill('SIGTERM');
    const exit = await within(this.exited, STOP_MS, 'exit after SIGTERM');
    const took = performance.now() - began;
    this.child = null;
    closeIdleConnections();
    this.assertNoSanitizerReport();
    const how = `exit after SIGTERM: expected code 0, saw ${JSON.stringify(exit)}`;
    assert.deepEqual(exit, { code: 0, signal: null }, `${how}\n${this.stderrTail()}`);
    assert.match(this.stdout, /^listening on https?:\/\/\S+\n$/, 'stdout is exactly one line');
    return took;
  }

  /** SIGKILL, and wait until it is gone. */
  async kill() {
    this.child.kill('SIGKILL');
    await within(this.exited, STOP_MS, 'exit after SIGKILL');
    this.child = null;
    this.assertNoSanitizerReport();
  }

  /** Stop (or kill) and start again on the same data. */
  async restart({ kill = false, ...changes } = {}) {
    if (this.child) await (kill ? this.kill() : this.stop());
    this.options = { ...this.options, ...changes };
    return this.start();
  }

  /** End of its use: stopped if it still runs, data removed. */
  async end() {
    try {
      if (this.child) await this.stop();
    } finally {
      this.child?.kill('SIGKILL');
      this.removeData();
      daemons.delete(this);
    }
  }

  removeData() {
    if (this.ownsData) fs.rmSync(this.data, { recursive: true, force: true });
  }

  // ------------------------------------------------------------------ API

  /**
   * One API call. `body` is an object (sent as JSON), a string or Buffer (sent as it is), or undefined (none).
   * `token: null` sends no Authorization; `headers` overwrite what is sent by default, `null` leaves one out; `again` as for
   * request().
   */
  call(name, body, { method = 'POST', token = this.token, headers = {}, timeoutMs, again } = {}) {
    const all = {};
    if (token !== null) all.Authorization = `Bearer ${token}`;
    if (body !== undefined) all['Content-Type'] = 'application/json';
    for (const [key, value] of Object.entries(headers)) {
      const known = Object.keys(all).find((have) => have.toLowerCase() === key.toLowerCase());
      if (known) delete all[known];
      if (value !== null) all[key] = value;
    }
    const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const route = name.startsWith('/') ? name : `/${name}`;
    return request(this.url, { method, path: route, headers: all, body: bytes, timeoutMs, again, tls: this.options.tls });
  }

  raw(pieces, options) {
    return raw(this.url, pieces, options);
  }

  get(nameAndQuery, options = {}) {
    return this.call(nameAndQuery, undefined, { ...options, method: 'GET' });
  }

  /** A call that must succeed: its parsed body. */
  async ok(name, body, { status, ...options } = {}) {
    const res = await this.call(name, body, options);
    const good = status === undefined ? res.status >= 200 && res.status < 300 : res.status === status;
    assert.ok(good, `${name} ${JSON.stringify(body)?.slice(0, 300)}: expected ${status ?? '2xx'}, saw ${res.status} ${res.text.slice(0, 600)}`);
    return res.body;
  }

  async createWebhook(fields) {
    return (await this.ok('webhooks.create', fields, { status: 201 })).webhook;
  }

  async webhook(id) {
    return (await this.ok('webhooks.get', { id }, { status: 200 })).webhook;
  }

  async update(id, fields) {
    return (await this.ok('webhooks.update', { id, ...fields }, { status: 200 })).webhook;
  }

  remove(id) {
    return this.ok('webhooks.delete', { id }, { status: 200 });
  }

  /** Publish one event; its {id, type, created_date, deliveries}. */
  async publish(event, options = {}) {
    return (await this.ok('events.publish', event, { status: 202, ...options })).event;
  }

  async publishAll(events, options = {}) {
    return (await this.ok('events.publish', { events }, { status: 202, ...options })).events;
  }

  /** Wait until a webhook shows a status (and a health state); returns the webhook. */
  waitStatus(id, status, { health, ms = 5000 } = {}) {
    let seen;
    return until(
      async () => {
        seen = await this.webhook(id);
        return seen.status === status && (health === undefined || seen.health?.state === health) && seen;
      },
      ms,
      () => `webhook ${status}${health ? `/${health}` : ''}, saw ${JSON.stringify(seen)}\n${this.stderrTail()}`,
    );
  }

  waitActive(id, options) {
    return this.waitStatus(id, 'active', options);
  }

  /** A webhook on a receiver's endpoint, verified; the endpoint learns its secret. */
  async activeWebhook(endpoint, fields = {}) {
    const webhook = await this.createWebhook({ url: endpoint.url, event_types: ['work_created'], ...fields });
    endpoint.secret = webhook.secret;
    return this.waitActive(webhook.id);
  }

  async clock() {
    return this.ok('clock.get', {}, { status: 200 });
  }

  async now() {
    return Date.parse((await this.clock()).now);
  }

  /** Move the virtual clock by ms, or to the next deadline. Answers {now, attempts, next}. */
  advance(by, options = {}) {
    const body = by === 'next' ? { to: 'next' } : { ms: by };
    return this.ok('clock.advance', body, { status: 200, timeoutMs: 60000, ...options });
  }

  /** Wait until everything that is due now has ended. */
  settle() {
    return this.advance(0);
  }

  /** Every delivery that the filter lets through, newest first, over all pages. */
  async deliveries(filter = {}, limit = 100) {
    return this.pages('deliveries.list', 'deliveries', filter, limit);
  }

  async events(filter = {}, limit = 100) {
    return this.pages('events.list', 'events', filter, limit);
  }

  async pages(name, field, filter, limit) {
    const all = [];
    let cursor;
    do {
      const page = await this.ok(name, { ...filter, limit, ...(cursor ? { cursor } : {}) }, { status: 200 });
      assert.ok(Array.isArray(page[field]), `${name} answers ${field}[], saw ${JSON.stringify(page).slice(0, 300)}`);
      assert.ok(page[field].length <= limit, `${name}: ${page[field].length} rows on a page of ${limit}`);
      all.push(...page[field]);
      cursor = page.next_cursor;
    } while (cursor);
    return all;
  }

  /** The number that /metrics tells under a name without labels. */
  async metric(name) {
    const { text } = await this.get('metrics');
    const [, number] = new RegExp(`^revhook_${name} (\\d+)$`, 'm').exec(text) ?? assert.fail(`no metric ${name} in ${text}`);
    return Number(number);
  }

  /** One delivery with its attempts. */
  async delivery(id) {
    return (await this.ok('deliveries.get', { id }, { status: 200 })).delivery;
  }

  /** The one delivery of an event to a webhook. */
  async deliveryOf(event, webhook) {
    const found = await this.deliveries({ event: event.id ?? event, webhook: webhook.id ?? webhook });
    assert.equal(found.length, 1, `one delivery of ${event.id ?? event}, saw ${JSON.stringify(found)}`);
    return this.delivery(found[0].id);
  }

  /** Wait until a delivery is in a state; returns it with its attempts. */
  waitDelivery(id, state, ms = 5000) {
    let seen;
    return until(
      async () => {
        seen = await this.delivery(id);
        return seen.state === state && seen;
      },
      ms,
      () => `delivery ${state}, saw ${JSON.stringify(seen)}\n${this.stderrTail()}`,
    );
  }
}

export async function startDaemon(options) {
  const daemon = new Daemon(options);
  try {
    return await daemon.start();
  } catch (error) {
    daemon.child?.kill('SIGKILL');
    daemon.removeData();
    daemons.delete(daemon);
    throw error;
  }
}
