// What the kill loop and the clean run have in common: a folder with the four logs of tests/trace, a daemon that traces,
// the receivers, webhooks whose urls and secrets are known, publishes of which every answer is put down.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Daemon } from '../e2e/lib/daemon.mjs';
import { closeIdleConnections } from '../e2e/lib/http.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { tell } from '../trace/check.mjs';
import { checkFolder, summary } from '../trace/main.mjs';
import { Receivers, digest } from './receivers.mjs';

export const TYPES = ['tag_created', 'tag_updated', 'part_created', 'part_updated', 'rev_user_created'];
const FLUSH_BYTES = 1 << 16;
const PAGE = 100;
const DRAIN_MS = 900000;

/** Numbers from a seed (mulberry32): the choices of a run, though not its timing, can be had again. */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  below(end) {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  between(least, most) {
    return least + this.below(most - least + 1);
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

/** A log of facts, one JSON object a line. */
class Log {
  constructor(file) {
    this.fd = fs.openSync(file, 'w');
    this.text = '';
  }

  write(fact) {
    this.text += `${JSON.stringify(fact)}\n`;
    if (this.text.length >= FLUSH_BYTES) this.flush();
  }

  flush() {
    fs.writeSync(this.fd, this.text);
    this.text = '';
  }

  close() {
    this.flush();
    fs.closeSync(this.fd);
  }
}

const OBJECTS = {
  tag: { id: 'don:core:dvrv-us-1:devo/dev0:tag/1', name: 'a tag' },
  part: { type: 'product', id: 'don:core:dvrv-us-1:devo/dev0:product/1', name: 'a part', owned_by: [] },
  rev_user: { id: 'don:identity:dvrv-us-1:devo/dev0:revu/1' },
};

/** A payload that is accepted, with a tag that tells which it is, of varying size. */
function payload(type, tag, random) {
  const noun = type.slice(0, type.lastIndexOf('_'));
  return { nr: tag, filler: 'é"\\<x'.repeat(random.below(60)), [noun]: OBJECTS[noun] };
}

export class Rig {
  /** `settings`: rows of the daemon's settings that differ from their defaults. */
  static async start({ seed, settings = {}, attemptTimeoutMs = 3000, retryDelaysMs = [30000, 180000] }) {
    const rig = new Rig();
    rig.random = new Random(seed);
    rig.seed = seed;
    rig.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'revhook-kill-'));
    for (const name of ['told', 'seen', 'account']) rig[name] = new Log(path.join(rig.folder, `${name}.log`));
    fs.writeFileSync(path.join(rig.folder, 'settings.json'), JSON.stringify({ seed, attemptTimeoutMs, retryDelaysMs, inFlightMax: 32 }));
    rig.trace = path.join(rig.folder, 'daemon.log');
    const set = { log_level: 'trace', log_format: 'json', attempt_timeout_ms: attemptTimeoutMs, retry_delays_ms: retryDelaysMs.join(','), ...settings };
    rig.daemon = new Daemon({ clock: 'real', data: path.join(rig.folder, 'data'), set, stderrFd: fs.openSync(rig.trace, 'a') });
    rig.receivers = await new Receivers(rig.seen, rig.random).start();
    rig.hooks = [];
    rig.tags = 0;
    rig.acknowledged = 0;
    return rig;
  }

  /** One call of the API that a kill may cut off: its answer, or null if none came. */
  async call(name, body) {
    try {
      return await this.daemon.call(name, body, { again: false });
    } catch (error) {
      if (error.code === undefined) throw error;
      return null;
    }
  }

  // ------------------------------------------------------------------ webhooks

  secret() {
    return Array.from({ length: 24 }, () => 'abcdefghijklmnopqrstuvwxyz'[this.random.below(26)]).join('');
  }

  /** A new webhook; null if the answer was cut off and it was not made. */
  async create({ behaviour, types, echoes, restless = false }) {
    const secret = this.secret();
    const number = this.receivers.add(behaviour, secret, echoes);
    const begunUs = Date.now() * 1000;
    const answer = await this.call('webhooks.create', { url: this.receivers.url(number, 0), secret, event_types: types });
    if (answer) assert.equal(answer.status, 201, answer.text);
    const id = answer ? answer.body.webhook.id : await this.findLater(number);
    if (!id) return null;
    const hook = { id, name: id.slice(id.lastIndexOf('/') + 1), number, types, url: 0, secret: 0, urls: 1, restless, off: false };
    this.told.write({ fact: 'hook', hook: hook.name, types });
    this.told.write({ fact: 'generation', hook: hook.name, url: 0, secret: 0, begun_us: begunUs, answered_us: answer ? Date.now() * 1000 : null });
    this.hooks.push(hook);
    return hook;
  }

  /** The id of a webhook whose creation was cut off, if it was made: told by the list after the restart. */
  async findLater(number) {
    const answer = await this.untilAnswered('webhooks.list', {});
    return answer.body.webhooks.find(({ url }) => url === this.receivers.url(number, 0))?.id;
  }

  /** A call that only reads, again and again until it is answered. */
  async untilAnswered(name, body) {
    let answer;
    await until(async () => (answer = await this.call(name, body)), 30000, `an answer to ${name}`);
    assert.equal(answer.status, 200, answer.text);
    return answer;
  }

  /** A new secret, or a new url: a new generation. If the answer is cut off, what holds is looked up before the next change. */
  async change(hook) {
    await this.lookUp(hook);
    const { secrets } = this.receivers.numbers[hook.number];
    const next = this.random.below(2) ? { url: hook.url, secret: secrets.push(this.secret()) - 1 } : { url: hook.urls++, secret: hook.secret };
    const fields = next.url === hook.url ? { secret: secrets[next.secret] } : { url: this.receivers.url(hook.number, next.url) };
    await this.commit(hook, fields, (begun_us, answered_us) => {
      this.told.write({ fact: 'generation', hook: hook.name, ...next, begun_us, answered_us });
      if (answered_us) Object.assign(hook, next);
      else hook.unsure = true;
    });
  }

  async lookUp(hook) {
    if (!hook.unsure) return;
    const { webhook } = (await this.untilAnswered('webhooks.get', { id: hook.id })).body;
    hook.url = Number(webhook.url.slice(webhook.url.lastIndexOf('/') + 1));
    hook.secret = this.receivers.numbers[hook.number].secrets.indexOf(webhook.secret);
    hook.unsure = false;
  }

  async deactivate(hook) {
    await this.commit(hook, { action: 'deactivate' }, (_, answered_us) => this.told.write({ fact: 'off', hook: hook.name, kind: 'deactivate', answered_us }));
    hook.off = true;
  }

  async activate(hook) {
    this.told.write({ fact: 'on', hook: hook.name, begun_us: Date.now() * 1000 });
    await this.commit(hook, { action: 'activate' }, (_, answered_us) => (hook.off = answered_us === null));
  }

  async remove(hook) {
    this.hooks.splice(this.hooks.indexOf(hook), 1);
    const answer = await this.call('webhooks.delete', { id: hook.id });
    if (answer) assert.equal(answer.status, 200, answer.text);
    this.told.write({ fact: 'off', hook: hook.name, kind: 'delete', answered_us: answer ? Date.now() * 1000 : null });
  }

  async commit(hook, fields, put) {
    const begunUs = Date.now() * 1000;
    const answer = await this.call('webhooks.update', { id: hook.id, ...fields });
    if (answer) assert.equal(answer.status, 200, answer.text);
    put(begunUs, answer ? Date.now() * 1000 : null);
  }

  // ------------------------------------------------------------------ events

  /** Publishes `count` events of random types in one request; how many deliveries it was told of. */
  async publish(count) {
    const first = this.tags;
    this.tags += count;
    const types = Array.from({ length: count }, () => this.random.pick(TYPES));
    const payloads = types.map((type, n) => payload(type, first + n, this.random));
    const answer = await this.call('events.publish', { events: types.map((type, n) => ({ type, [type]: payloads[n] })) });
    const status = answer?.status ?? 0;
    assert.ok([0, 202, 503].includes(status), `a publish is answered 202 or 503: ${status} ${answer?.text}`);
    const events = status === 202 ? answer.body.events.map(({ id, deliveries }) => [id.slice(id.lastIndexOf('/') + 1), deliveries]) : undefined;
    this.told.write({ fact: 'publish', first, status, types, digests: payloads.map((p) => digest(JSON.stringify(p))), events });
    if (events) this.acknowledged += count;
    return events ? events.reduce((sum, [, deliveries]) => sum + deliveries, 0) : 0;
  }

  // ------------------------------------------------------------------ lives

  /** kill -9. What the killed daemon did not finish writing to its trace is no line and is taken off. */
  async kill() {
    this.told.write({ fact: 'kill', at_us: Date.now() * 1000 });
    await this.daemon.kill();
    closeIdleConnections();
    await this.receivers.drop();
    const { size } = fs.statSync(this.trace);
    const tail = Buffer.alloc(Math.min(size, FLUSH_BYTES));
    const fd = fs.openSync(this.trace, 'r+');
    fs.readSync(fd, tail, 0, tail.length, size - tail.length);
    fs.ftruncateSync(fd, size - tail.length + tail.lastIndexOf('\n') + 1);
    fs.closeSync(fd);
  }

  /**
   * Waits until no delivery is open, for as long as they become fewer. If for `ms` they do not it says so, and the checker has
   * the last word.
   */
  async drain(ms) {
    let least = Infinity;
    let since = performance.now();
    const ended = async () => {
      const open = await this.daemon.metric('deliveries_open');
      if (open < least) [least, since] = [open, performance.now()];
      return open === 0 || performance.now() - since > ms;
    };
    await until(ended, DRAIN_MS, 'the end of every delivery').catch(() => {});
    if (least > 0) console.log(`${least} deliveries are open and stay so`);
  }

  /** Puts down what deliveries.list says of every delivery. */
  async list() {
    let cursor;
    do {
      const page = await this.daemon.ok('deliveries.list', { limit: PAGE, ...(cursor ? { cursor } : {}) });
      for (const { webhook, event, state, reason, attempt_count: attempts } of page.deliveries) {
        this.account.write({ fact: 'delivery', hook: webhook.slice(webhook.lastIndexOf('/') + 1), event: event.slice(event.lastIndexOf('/') + 1), state, reason, attempts });
      }
      cursor = page.next_cursor;
    } while (cursor);
  }

  /** Stops the daemon, checks the logs, prints what came out; true if nothing was violated. */
  async judge(name) {
    await this.daemon.stop();
    await this.receivers.close();
    for (const log of [this.told, this.seen, this.account]) log.close();
    const report = checkFolder(this.folder);
    console.log(`figure: ${name}: ${summary(report, this.seed)}`);
    for (const line of tell(report)) console.log(line);
    if (report.violationCount === 0) fs.rmSync(this.folder, { recursive: true });
    else console.log(`the logs are in ${this.folder}`);
    return report.violationCount === 0;
  }
}
