#!/usr/bin/env node
// usage: tests/hostile/run.mjs [TEXT]
//
// Hostile receivers against the real daemon over real sockets: each row of hostilities.mjs (or those whose name has TEXT in
// it): at once those that never end, then those that flood, then all others. Each first verifies, so that events come; then it
// does its worst to every event, in rounds that keep all of its places in flight taken and more waiting. What has to hold, for
// each:
//
//   outcome   every attempt is recorded with an outcome of the row
//   time      every attempt ends within 3.1 s, and its place is free for another by then
//   others    a well-behaved webhook gets its events at the first attempt, while the hostile ones are at it
//   memory    what the daemon keeps resident does not grow from round to round
//   verify    who is hostile to the first verify request is unverified, and that ended in time, too
//
// Ends with `N passed, N failed`. TEST_SCALE (quick, plain, full) says how many rounds. Times are the daemon's own; nothing but
// the limit of an attempt is judged by time, with an allowance for a machine that has too much to do, and that is measured: the
// share of the time for which the threads of the daemon were ready to run and had no processor. Where the receivers themselves
// were seconds late, an attempt may have timed out that would have ended otherwise.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { startDaemon, tempDir } from '../e2e/lib/daemon.mjs';
import { Authority } from '../e2e/lib/pki.mjs';
import { startReceiver } from '../e2e/lib/receiver.mjs';
import { events } from '../e2e/lib/shapes.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { HOSTILITIES } from './hostilities.mjs';

const ROUNDS = { quick: 1, plain: 4, full: 30 }[process.env.TEST_SCALE ?? 'plain'];
const LIMIT_MS = 3100;
const BUSY_MS = 200; // the allowance on a machine with nothing else to do: seen are less than 20
const PLACES = 16; // in flight at once to one webhook
const EVENTS = 24; // a round and webhook; each is attempted twice
const WARM_ROUNDS = 2; // after which memory may not grow
const GROWTH_MAX_KB = 8 * 1024;
const STORE_CACHE_KB = 16 * 1024; // of the store's pages, as far as there are any
const ROUND_MS = 120000;
const BOMB = zlib.gzipSync(Buffer.alloc(64 << 20)); // 64 KiB
const GOOD_TYPE = 'part_created';
const FLOOD_TYPE = 'tag_created';
const ENDLESS_TYPE = 'tag_updated';
const OTHER_TYPE = 'tag_deleted';
const LATE_MS = 1500; // a receiver that gets to its requests so late may be too late with its answer

// ------------------------------------------------------------------ receivers

/** The length of the whole request at the front of `bytes`, or 0. */
function requestBytes(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  const length = /\r\nContent-Length: (\d+)\r\n/.exec(bytes.latin1Slice(0, end + 2));
  const whole = end + 4 + Number(length?.[1]);
  return end >= 0 && bytes.length >= whole ? whole : 0;
}

/** A hostile receiver on a port of its own. It is good until `hostile` is set. */
class Hostile {
  constructor(row, pair) {
    Object.assign(this, { row, pair, hostile: false, sockets: new Set() });
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.connection(socket));
  }

  async start() {
    await new Promise((resolve) => this.server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, resolve));
    this.url = `${this.row.tls ? 'https' : 'http'}://127.0.0.1:${this.server.address().port}/`;
    return this;
  }

  connection(bare) {
    this.sockets.add(bare);
    bare.on('error', () => {}).on('close', () => this.sockets.delete(bare));
    if (this.hostile && this.row.connect) {
      this.row.connect(bare);
      return;
    }
    const socket = this.row.tls ? new tls.TLSSocket(bare, { isServer: true, ...this.pair }) : bare;
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {}).on('end', () => socket.end());
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let whole; (whole = requestBytes(bytes)) > 0; bytes = bytes.subarray(whole)) this.request(socket, bare, bytes.subarray(0, whole));
    });
  }

  request(socket, bare, bytes) {
    latestMs = Math.max(latestMs, Date.now() - Date.parse(/"timestamp":"([^"]+)"/.exec(bytes.latin1Slice())[1]));
    if (this.hostile && this.row.answer) {
      this.row.answer(socket, { url: this.url, gzip: BOMB, bare });
      return;
    }
    const challenge = /"verify":\{"challenge":"(\w+)"/.exec(bytes.latin1Slice())?.[1];
    const body = JSON.stringify({ challenge });
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${this.row.connect ? 'Connection: close\r\n' : ''}\r\n${body}`);
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

// ------------------------------------------------------------------ results

let passed = 0;
let failed = 0;
let latestMs = 0; // the longest time from the start of an attempt until its request was seen here: the receivers' share, not the daemon's

/** One thing that has to hold; `broken` tells how it does not, empty if it does. */
function judge(what, broken) {
  if (broken.length === 0) passed++;
  else failed++;
  if (broken.length > 0) console.log(`FAILED ${what}: ${broken.slice(0, 5).join('; ')}${broken.length > 5 ? `; and ${broken.length - 5} more` : ''}`);
}

/** How long each thread of the daemon has waited for a processor, in ms, by thread; none where the kernel does not say. */
function waits(daemon) {
  const folder = `/proc/${daemon.child.pid}/task`;
  try {
    return new Map(fs.readdirSync(folder).map((id) => [id, Number(fs.readFileSync(`${folder}/${id}/schedstat`, 'utf8').split(' ')[1]) / 1e6]));
  } catch {
    return new Map();
  }
}

/** The limit of an attempt with the allowance for what this machine had to do besides. */
let limitMs = LIMIT_MS + BUSY_MS;

/** Raises the limit by the share of a span in which the daemon's thread that was worst off was kept waiting. */
async function whileBusy(daemon, act) {
  const [began, before] = [performance.now(), waits(daemon)];
  await act();
  const spanMs = performance.now() - began;
  const share = Math.max(0, ...[...waits(daemon)].map(([id, ms]) => (ms - (before.get(id) ?? 0)) / spanMs));
  limitMs = Math.max(limitMs, LIMIT_MS + BUSY_MS + share * LIMIT_MS);
}

const memoryKb = (daemon, field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))[1]);

/** The attempts at one webhook, oldest first. */
async function attemptsOf(daemon, webhook) {
  const all = [];
  for (const { id } of await daemon.deliveries({ webhook })) all.push(...(await daemon.delivery(id)).attempts);
  return all.map((a) => ({ ...a, startedMs: Date.parse(a.started_at) })).sort((a, b) => a.startedMs - b.startedMs);
}

/** Judges outcome and time of a row; the longest attempt in ms. */
function judgeAttempts({ name, outcomes, always }, attempts, wanted) {
  const longest = Math.max(...attempts.map((a) => a.duration_ms));
  const seen = [...new Set(attempts.map((a) => a.outcome))];
  const excused = latestMs > LATE_MS && seen.some((outcome) => outcomes.includes(outcome)) ? ['timeout'] : [];
  judge(`${name}: outcome`, [
    ...seen.filter((outcome) => ![...outcomes, ...excused].includes(outcome)).map((outcome) => `${outcome} was recorded; right is ${outcomes.join(' or ')}`),
    ...(attempts.length >= wanted ? [] : [`${attempts.length} attempts are recorded, at least ${wanted} were made`]),
  ]);
  const places = attempts.slice(PLACES).map((a, n) => a.startedMs - attempts[n].startedMs);
  judge(`${name}: time`, [
    ...attempts.filter((a) => a.duration_ms > limitMs).map((a) => `an attempt took ${a.duration_ms} ms`),
    ...attempts.filter((a) => always && a.duration_ms < 2900).map((a) => `an attempt that cannot end took ${a.duration_ms} ms`),
  ]);
  console.log(`   ${name.padEnd(62)} ${String(attempts.length).padStart(5)} attempts, longest ${String(longest).padStart(4)} ms, ${seen.join(', ')}`);
  return { longest, places };
}

// ------------------------------------------------------------------ the run

async function verifiesInTime(daemon, rows) {
  const lines = () => daemon.stderr.split('\n').filter((line) => line.includes('"event":"verify_ended"')).map((line) => JSON.parse(line));
  for (const row of rows) {
    const receiver = await new Hostile(row.row, row.pair).start();
    receiver.hostile = true;
    row.shy = { receiver, webhook: await daemon.createWebhook({ url: receiver.url, event_types: [] }) };
  }
  await until(() => rows.every(({ shy }) => lines().some((line) => line.webhook === shy.webhook.id)), ROUND_MS, 'the end of every verify request');
  for (const { row, shy } of rows) {
    const ended = lines().filter((line) => line.webhook === shy.webhook.id);
    const { status } = await daemon.webhook(shy.webhook.id);
    judge(`${row.name}: verify`, [
      ...ended.filter((line) => line.duration_ms > limitMs).map((line) => `a verify request took ${line.duration_ms} ms`),
      ...ended.filter((line) => line.outcome === 'acknowledged').map(() => 'a verify request was taken for echoed'),
      ...(status === 'unverified' ? [] : [`the webhook is ${status}`]),
    ]);
    await daemon.remove(shy.webhook.id);
    shy.receiver.close();
  }
}

async function round(daemon, type, n) {
  await daemon.publishAll(events(EVENTS, type, (m) => ({ n, m })));
  await daemon.publishAll(events(EVENTS, GOOD_TYPE, (m) => ({ n, m })));
  await until(async () => (await daemon.metric('deliveries_open')) === 0, ROUND_MS, 'the end of a round');
}

const rows = Object.entries(HOSTILITIES)
  .flatMap(([group, list]) => list.map((row) => ({ row, type: row.always ? ENDLESS_TYPE : group.startsWith('too much') ? FLOOD_TYPE : OTHER_TYPE })))
  .filter(({ row }) => row.name.includes(process.argv[2] ?? ''));
const types = new Set(rows.map(({ type }) => type));
assert.ok(rows.length > 0, `no hostility is called ${process.argv[2]}`);
const dir = tempDir();
const authority = new Authority(dir);
const { certText: cert, keyText: key } = authority.issue('receiver');
const daemon = await startDaemon({
  clock: 'real',
  set: {
    ca_file: path.resolve(authority.cert),
    log_format: 'json',
    in_flight_per_webhook_max: PLACES,
    retry_delays_ms: 1,
    degrade_after: 1000000,
  },
});
const good = await startReceiver();
try {
  const well = await daemon.activeWebhook(good.endpoint('/well'), { event_types: [GOOD_TYPE] });
  for (const row of rows) {
    row.pair = { cert, key };
    row.receiver = await new Hostile(row.row, row.pair).start();
    row.webhook = await daemon.createWebhook({ url: row.receiver.url, event_types: [row.type] });
  }
  for (const { webhook } of rows) await daemon.waitActive(webhook.id, { ms: 20000 });
  for (const { receiver } of rows) receiver.hostile = true;

  const resident = [];
  const stored = []; // the size of the store: its cache fills up with it
  for (let n = 0; n < ROUNDS; n++) {
    for (const type of types) await whileBusy(daemon, () => round(daemon, type, n));
    resident.push(memoryKb(daemon, 'VmRSS'));
    stored.push(fs.statSync(path.join(daemon.data, 'revhook.db')).size / 1024);
  }
  judge('in flight', (await daemon.metric('attempts_in_flight')) === 0 ? [] : ['places are taken though nothing is open']);

  let longest = 0;
  let slowestPlace = 0;
  let attempts = 0;
  for (const { row, webhook } of rows) {
    const made = await attemptsOf(daemon, webhook.id);
    const judged = judgeAttempts(row, made, ROUNDS * EVENTS);
    longest = Math.max(longest, judged.longest);
    // Places are short only inside a round: EVENTS deliveries at once, each attempted up to twice.
    const inRound = judged.places.slice(0, EVENTS - PLACES);
    slowestPlace = Math.max(slowestPlace, ...inRound);
    judge(`${row.name}: place`, inRound.filter((ms) => ms > limitMs).map((ms) => `a place was taken for ${ms} ms`));
    attempts += made.length;
  }

  const deliveries = await daemon.deliveries({ webhook: well.id });
  const late = [];
  for (const { id } of deliveries) {
    const { event, attempts: [first], attempt_count: count, state } = await daemon.delivery(id);
    const { created_date: created } = (await daemon.ok('events.get', { id: event })).event;
    if ((state !== 'delivered' || count !== 1) && latestMs <= LATE_MS) late.push(`${id} is ${state} after ${count} attempts`);
    else if (Date.parse(first.started_at) - Date.parse(created) >= limitMs) late.push(`${id} waited ${Date.parse(first.started_at) - Date.parse(created)} ms`);
  }
  judge('others', deliveries.length === ROUNDS * EVENTS * types.size ? late : [`${deliveries.length} deliveries`]);

  if (resident.length > WARM_ROUNDS) {
    const growth = Math.max(...resident.slice(WARM_ROUNDS)) - resident[WARM_ROUNDS - 1];
    const cached = Math.min(STORE_CACHE_KB, stored.at(-1) - stored[WARM_ROUNDS - 1]);
    judge('memory', growth <= GROWTH_MAX_KB + cached ? [] : [`resident after each round, kB: ${resident.join(' ')}; the store, kB: ${stored.join(' ')}`]);
  }

  await verifiesInTime(daemon, rows);
  console.log(`figure: hostile receivers: ${rows.length} kinds, attempts ${attempts}, longest attempt ${longest} ms, longest wait for a place ${slowestPlace} ms, ` +
    `resident ${resident[0]} kB after the first of ${ROUNDS} rounds, ${resident.at(-1)} kB after the last, peak ${memoryKb(daemon, 'VmHWM')} kB, allowed ${Math.round(limitMs)} ms, requests seen after at most ${latestMs} ms`);
} finally {
  for (const { receiver } of rows) receiver?.close();
  await daemon.end();
  await good.close();
  fs.rmSync(dir, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
