// The trace checker can fail: a story in which all is well, and the same story doctored, once for each rule and more often for
// some. Each doctored log must be reported under its rule.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { Checker } from './check.mjs';
import { checkFolder } from './main.mjs';
import { RULES } from './rules.mjs';

const SETTINGS = { seed: 1, attemptTimeoutMs: 1000, retryDelaysMs: [300, 700], inFlightMax: 2 };
const MS = 1000;

/**
 * The story. Webhook `good` is left alone and answers 200, except that the daemon is killed while event 2 is under way to it;
 * `bad` answers 500 to the first attempts of event 1 and all three of event 2, and gets a new secret; `gone` is switched off,
 * on again, and deleted. A fourth publish is refused, a fifth is cut off by the kill, and had been accepted.
 */
function story() {
  const logs = { told: [], daemon: [], seen: [], account: [] };
  const told = (fact) => logs.told.push(fact);
  const generation = (hook, url, secret, begun, answered) => told({ fact: 'generation', hook, url, secret, begun_us: begun * MS, answered_us: answered * MS });
  const publish = (first, status, types, events) => told({ fact: 'publish', first, status, types, digests: types.map((_, n) => `d${first + n}`), events });
  const trace = (event, fields) => logs.daemon.push({ event, ...fields });
  const verify = (hook, at, secret = 0) => logs.seen.push({ fact: 'verify', hook, event: `v${hook}${at}`, challenge: `c${hook}${at}`, started_us: at * MS, at_us: at * MS, url: 0, secret, echoed: true, status: 200, answered_us: at * MS });
  const state = (hook, to) => trace('webhook_state', { webhook: `don:x:webhook/${hook}`, from: 'any', to, reason: 'none' });
  const start = (hook, event, key, n, at) => trace('attempt_started', { event_id: `don:x:webhook/${hook}:event/${event}`, key, n, started_us: at * MS });
  const record = (key, at, outcome, to) => trace('attempt_recorded', { key, started_us: at * MS, outcome, state: to });
  const post = (hook, event, tag, at, status, secret = 0, type = 'tag_created') => logs.seen.push({ fact: 'post', hook, event, type, tag, digest: `d${tag}`, started_us: at * MS, at_us: (at + 1) * MS, url: 0, secret, open: 1, status, answered_us: status ? (at + 2) * MS : undefined });
  const end = (hook, event, to, attempts, reason) => logs.account.push({ fact: 'delivery', hook, event, state: to, attempts, reason });

  for (const hook of ['good', 'bad', 'gone']) {
    told({ fact: 'hook', hook, types: ['tag_created', 'tag_updated'] });
    generation(hook, 0, 0, 0, 5);
  }
  generation('bad', 0, 1, 5000, 5010);
  publish(0, 202, ['tag_created', 'tag_created'], [['e1', 3], ['e2', 3]]);
  publish(2, 503, ['tag_created']);
  publish(3, 0, ['tag_created', 'tag_created']);
  told({ fact: 'kill', at_us: 250 * MS });
  told({ fact: 'off', hook: 'gone', kind: 'deactivate', answered_us: 600 * MS });
  told({ fact: 'on', hook: 'gone', begun_us: 700 * MS });
  told({ fact: 'off', hook: 'gone', kind: 'delete', answered_us: 9000 * MS });

  trace('starting');
  for (const hook of ['good', 'bad', 'gone']) verify(hook, 10), state(hook, 'active');
  start('good', 'e1', 1, 1, 100), post('good', 'e1', 0, 100, 200), record(1, 100, 'acknowledged', 'delivered');
  start('bad', 'e1', 2, 1, 100), post('bad', 'e1', 0, 100, 500), record(2, 100, 'http_status', 'pending');
  start('gone', 'e1', 3, 1, 101), post('gone', 'e1', 0, 101, 200), record(3, 101, 'acknowledged', 'delivered');
  start('good', 'e2', 4, 1, 200), post('good', 'e2', 1, 200, 200); // and the kill comes before the record
  start('bad', 'e2', 5, 1, 200), post('bad', 'e2', 1, 200, 500), record(5, 200, 'http_status', 'pending');

  trace('starting');
  start('good', 'e2', 4, 1, 300), post('good', 'e2', 1, 300, 200), record(4, 300, 'acknowledged', 'delivered');
  for (const [n, key] of [[3, 7], [4, 8]]) start('good', `e${n + 1}`, key, 1, 310 + n), post('good', `e${n + 1}`, n, 310 + n, 200), record(key, 310 + n, 'acknowledged', 'delivered');
  start('bad', 'e1', 2, 2, 410), post('bad', 'e1', 0, 410, 204), record(2, 410, 'acknowledged', 'delivered');
  start('bad', 'e2', 5, 2, 510), post('bad', 'e2', 1, 510, 0), record(5, 510, 'timeout', 'pending');
  state('bad', 'unverified'), verify('bad', 5020, 1), state('bad', 'active');
  start('bad', 'e2', 5, 3, 5100), post('bad', 'e2', 1, 5100, 500, 1), record(5, 5100, 'http_status', 'failed');
  state('gone', 'deleted');
  trace('stopped');

  end('good', 'e1', 'delivered', 1), end('bad', 'e1', 'delivered', 2), end('gone', 'e1', 'delivered', 1);
  end('good', 'e2', 'delivered', 1), end('bad', 'e2', 'failed', 3, 'attempts_exhausted'), end('gone', 'e2', 'dropped', 0, 'webhook_deleted');
  end('good', 'e4', 'delivered', 1), end('good', 'e5', 'delivered', 1);
  return logs;
}

const is = (want) => (fact) => Object.entries(want).every(([key, value]) => fact[key] === value);
/** The first fact that has these values. */
const one = (log, want) => log.find(is(want)) ?? assert.fail(`the story has ${JSON.stringify(want)}`);
const without = (log, want) => log.splice(log.indexOf(one(log, want)), 1)[0];
const started = (logs, key, n) => one(logs.daemon, { event: 'attempt_started', key, n });
/** A start again, with its POST and record, at another time. */
function again(logs, key, n, at, life) {
  const start = { ...started(logs, key, n), started_us: at * MS };
  const [, hook, event] = /webhook\/(.*):event\/(.*)$/.exec(start.event_id);
  const place = life === 'first' ? logs.daemon.lastIndexOf(logs.daemon.filter(is({ event: 'starting' }))[1]) : logs.daemon.length - 1;
  logs.daemon.splice(place, 0, start, { event: 'attempt_recorded', key, started_us: at * MS, outcome: 'acknowledged', state: 'delivered' });
  logs.seen.push({ ...logs.seen.findLast(is({ fact: 'post', hook, event })), started_us: at * MS, at_us: at * MS, status: 200, answered_us: (at + 1) * MS });
}

/** [rule, what was done to the story, how] */
const DOCTORED = [
  ['lost', 'an acknowledged event has vanished', ({ account }) => ['good', 'bad', 'gone'].forEach((hook) => without(account, { hook, event: 'e1' }))],
  ['lost', 'one delivery of an acknowledged event has vanished', ({ account }) => without(account, { hook: 'gone', event: 'e2' })],
  ['lost', 'what was sent is listed nowhere', ({ account }) => without(account, { hook: 'good', event: 'e4' })],
  ['died', 'a daemon ended without being killed', ({ daemon }) => daemon.push({ event: 'starting' })],
  ['refused_exists', 'an event that was answered 503 arrived', (logs) => Object.assign(one(logs.seen, { event: 'e4' }), { tag: 2, digest: 'd2' })],
  ['half_a_batch', 'of two events of a publish that was cut off one exists', (logs) => {
    without(logs.seen, { event: 'e5' }), without(logs.account, { event: 'e5' });
    logs.daemon = logs.daemon.filter(({ key }) => key !== 8);
  }],
  ['not_ended', 'a delivery is pending at the end', ({ account }) => (one(account, { hook: 'gone', event: 'e2' }).state = 'pending')],
  ['two_ends', 'a delivery is listed twice', ({ account }) => account.push(account[0])],
  ['wrong_reason', 'dropped for a deletion that nobody asked for', ({ told }) => without(told, { kind: 'delete' })],
  ['wrong_reason', 'switched off by nobody', ({ account }) => (one(account, { hook: 'bad', event: 'e2' }).reason = 'webhook_inactive')],
  ['wrong_reason', 'exhausted after two attempts', ({ account, daemon }) => {
    one(account, { hook: 'bad', event: 'e2' }).attempts = 2;
    daemon.splice(daemon.indexOf(one(daemon, { key: 5, n: 3 })), 2);
  }],
  ['wrong_reason', 'acknowledged, and listed as failed', ({ account }) => (one(account, { hook: 'gone', event: 'e1' }).state = 'failed')],
  ['healthy_failed', 'an untouched webhook that always answers 200 missed an event', ({ account }) => Object.assign(one(account, { hook: 'good', event: 'e5' }), { state: 'failed', reason: 'webhook_degraded' })],
  ['duplicate', 'a duplicate without a crash', (logs) => again(logs, 1, 1, 400)],
  ['duplicate', 'a duplicate in the life of the first', (logs) => again(logs, 4, 1, 220, 'first')],
  ['duplicate', 'a duplicate although its record was durable before the crash', ({ daemon }) => daemon.splice(daemon.indexOf(one(daemon, { key: 5 })), 0, { event: 'attempt_recorded', key: 4, started_us: 200 * MS, outcome: 'acknowledged', state: 'delivered' })],
  ['two_posts', 'one attempt went out twice', ({ seen }) => seen.push(one(seen, { hook: 'good', event: 'e1' }))],
  ['too_many', 'a fourth attempt', (logs) => {
    again(logs, 5, 3, 7000);
    logs.daemon.findLast(is({ event: 'attempt_started', key: 5 })).n = 4;
  }],
  ['number', 'an attempt is called the second and is the first', (logs) => (started(logs, 1, 1).n = 2)],
  ['number', 'the API lists an attempt that never was', ({ account }) => (one(account, { hook: 'good', event: 'e1' }).attempts = 2)],
  ['recorded_twice', 'an end is recorded twice', ({ daemon }) => daemon.push(one(daemon, { event: 'attempt_recorded', key: 1 }))],
  ['never_recorded', 'an attempt of the last life has no end', ({ daemon }) => without(daemon, { event: 'attempt_recorded', key: 8 })],
  ['untraced', 'a POST that the daemon does not know', ({ seen }) => seen.push({ ...one(seen, { hook: 'good', event: 'e1' }), started_us: 150 * MS })],
  ['untraced', 'a record without a start', ({ daemon }) => daemon.push({ event: 'attempt_recorded', key: 99, started_us: 1, outcome: 'timeout', state: 'pending' })],
  ['early', 'a retry 12 ms early, after an answer', ({ daemon, seen }) => [daemon, seen].forEach((log) => log.filter(is({ started_us: 410 * MS })).forEach((fact) => (fact.started_us = 390 * MS)))],
  ['early', 'a retry early, after a timeout', ({ daemon, seen, told }) => {
    [daemon, seen].forEach((log) => log.filter(is({ started_us: 5100 * MS })).forEach((fact) => (fact.started_us = 2200 * MS)));
    Object.assign(one(told, { hook: 'bad', secret: 1 }), { begun_us: 550 * MS, answered_us: 560 * MS });
    Object.assign(one(seen, { fact: 'verify', secret: 1 }), { started_us: 570 * MS, answered_us: 571 * MS });
  }],
  ['late_counted', 'an answer after 2.5 s counted', ({ seen }) => (one(seen, { hook: 'good', event: 'e1' }).answered_us = 2600 * MS)],
  ['not_echoed', 'an event before the verify', ({ seen }) => (one(seen, { fact: 'verify', hook: 'good' }).answered_us = 101 * MS)],
  ['not_echoed', 'an event after a wrong echo', ({ seen }) => (one(seen, { fact: 'verify', hook: 'bad', secret: 1 }).echoed = false)],
  ['not_active', 'an attempt while switched off', (logs) => again(logs, 3, 1, 650)],
  ['not_active', 'an attempt while the trace says degraded', ({ daemon }) => daemon.splice(daemon.indexOf(one(daemon, { key: 7 })), 0, { event: 'webhook_state', webhook: 'don:x:webhook/good', to: 'degraded' })],
  ['after_delete', 'an attempt after delete had answered', (logs) => again(logs, 3, 1, 9005)],
  ['challenge_again', 'a challenge is used again', ({ seen }) => seen.push(one(seen, { fact: 'verify' }))],
  ['not_acknowledged', 'recorded as acknowledged, and the receiver answered 500', ({ seen }) => (one(seen, { hook: 'gone', event: 'e1' }).status = 500)],
  ['not_acknowledged', 'recorded as acknowledged, and nothing arrived', ({ seen }) => without(seen, { hook: 'gone', event: 'e1' })],
  ['answer_ignored', 'a 200 in time is recorded as a failure', ({ seen }) => (one(seen, { hook: 'bad', started_us: 200 * MS }).status = 200)],
  ['signature', 'a signature that fits no secret', ({ seen }) => (one(seen, { hook: 'good', event: 'e1' }).secret = -1)],
  ['signature', 'a secret that goes with another url', ({ seen }) => (one(seen, { hook: 'good', event: 'e1' }).url = 1)],
  ['old_generation', 'an attempt under the old secret after the change', ({ seen }) => (one(seen, { fact: 'post', secret: 1 }).secret = 0)],
  ['changed_on_the_way', 'the payload is another', ({ seen }) => (one(seen, { hook: 'bad', started_us: 410 * MS }).digest = 'other')],
  ['changed_on_the_way', 'the type is another', ({ seen }) => (one(seen, { hook: 'bad', started_us: 410 * MS }).type = 'tag_updated')],
  ['out_of_order', 'the later event went out first', ({ daemon }) => {
    const at = daemon.indexOf(one(daemon, { key: 7 }));
    daemon.splice(at, 0, ...daemon.splice(at + 2, 2));
  }],
  ['id_again', 'two events are answered one id', ({ told }) => (one(told, { first: 0 }).events[1][0] = 'e1')],
  ['id_again', 'the id of an old event on a new one', ({ seen }) => (one(seen, { event: 'e4' }).event = 'e2')],
  ['in_flight', 'three at once', ({ seen }) => (one(seen, { event: 'e4' }).open = 3)],
  ['not_subscribed', 'a type that nobody subscribed to', ({ told }) => (one(told, { fact: 'hook', hook: 'good' }).types = ['tag_updated'])],
];

function check(logs) {
  const checker = new Checker(SETTINGS);
  for (const log of ['told', 'daemon', 'seen', 'account']) for (const fact of logs[log]) checker[log](structuredClone(fact));
  return checker.finish();
}

const reported = ({ violations }) => [...violations].filter(([, list]) => list.length > 0).map(([rule]) => rule);

describe('the trace checker', () => {
  test('finds nothing in a story in which all is well, and counts it', () => {
    const report = check(story());
    assert.deepEqual(reported(report), []);
    const { counts } = report;
    assert.deepEqual(
      [counts.cycles, counts.acknowledged, counts.refused, counts.unanswered, counts.deliveries, counts.lost, counts.duplicates, counts.duplicatesOfCrashes, counts.retries, counts.cut],
      [1, 2, 1, 2, 8, 0, 1, 1, 3, 1],
    );
  });

  for (const [rule, what, doctor] of DOCTORED) {
    test(`${rule}: ${what}`, () => {
      const logs = story();
      doctor(logs);
      assert.ok(reported(check(logs)).includes(rule), `reported: ${reported(check(logs)).join(', ') || 'nothing'}`);
    });
  }

  test('every rule has a doctored log', () => {
    const tried = new Set(DOCTORED.map(([rule]) => rule));
    assert.deepEqual(Object.keys(RULES).filter((rule) => !tried.has(rule)), []);
  });

  test('reads the logs of a folder, and refuses one that ends in the middle of a line', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'revhook-trace-'));
    try {
      fs.writeFileSync(path.join(folder, 'settings.json'), JSON.stringify(SETTINGS));
      const logs = story();
      for (const log of Object.keys(logs)) fs.writeFileSync(path.join(folder, `${log}.log`), logs[log].map((fact) => `${JSON.stringify(fact)}\n`).join(''));
      assert.equal(checkFolder(folder).violationCount, 0);
      fs.appendFileSync(path.join(folder, 'seen.log'), '{"fact":"po');
      assert.throws(() => checkFolder(folder), /ends in the middle of a line/);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});
