// The virtual clock, word by word: it stands still between advances, what is due is sent at once, and an advance goes
// from deadline to deadline, each at its own instant, while no attempt is in flight.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { assertError, REASON } from './lib/errors.mjs';
import { event, events, RFC3339 } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';
import { until } from './lib/wait.mjs';

describe('clock.get', () => {
  inWorld('answers {now, next}; now stands still while real time passes', async ({ daemon }) => {
    const first = await daemon.clock();
    assert.deepEqual(Object.keys(first), ['now', 'next']);
    assert.match(first.now, RFC3339);
    assert.equal(first.next, null, 'nothing is due in an empty service');
    assert.ok(Math.abs(Date.parse(first.now) - Date.now()) < 60000, 'a new service begins at the real time');
    const began = performance.now();
    await until(() => performance.now() - began > 50, 1000, '50 ms');
    assert.deepEqual(await daemon.clock(), first);
  });

  inWorld('refuses unknown fields', async ({ daemon }) => {
    assertError(await daemon.call('clock.get', { x: 1 }), 400, 'invalid_field', { field_name: 'x' });
    assertError(await daemon.call('clock.get', {}, { token: null }), 401, 'unauthenticated');
    assertError(await daemon.call('clock.advance', { ms: 1 }, { token: null }), 401, 'unauthenticated');
  });
});

describe('clock.advance', () => {
  inWorld('moves by ms and ends exactly at the target; answers {now, attempts, next}', async ({ daemon }) => {
    const began = await daemon.now();
    for (const [ms, total] of [[0, 0], [1, 1], [999, 1000], [86400000, 86401000]]) {
      const answer = await daemon.advance(ms);
      assert.deepEqual(Object.keys(answer), ['now', 'attempts', 'next']);
      assert.equal(Date.parse(answer.now) - began, total);
      assert.deepEqual([answer.attempts, answer.next], [0, null]);
      assert.equal((await daemon.clock()).now, answer.now);
    }
  });

  inWorld('to next goes to the next deadline, and changes nothing if there is none', async ({ daemon, to }) => {
    const began = await daemon.clock();
    assert.deepEqual(await daemon.advance('next'), { now: began.now, attempts: 0, next: null });
    await daemon.activeWebhook(to);
    to.break();
    await daemon.publish(event());
    const at = (seconds) => Date.parse(began.now) + seconds * 1000;
    const settled = await daemon.settle();
    assert.equal(Date.parse(settled.next), at(30));
    assert.equal(Date.parse((await daemon.clock()).next), at(30));
    const second = await daemon.advance('next');
    assert.deepEqual([Date.parse(second.now), second.attempts, Date.parse(second.next)], [at(30), 1, at(210)]);
    const third = await daemon.advance('next');
    assert.deepEqual([Date.parse(third.now), third.attempts, third.next], [at(210), 1, null]);
    assert.deepEqual(await daemon.advance('next'), { now: third.now, attempts: 0, next: null });
  });

  inWorld('what is due at the present instant is sent at once, without an advance', async ({ daemon, to }) => {
    const { now } = await daemon.clock();
    await daemon.activeWebhook(to);
    await daemon.publishAll(events(10));
    await to.waitEvents(10);
    assert.equal((await daemon.clock()).now, now);
  });

  inWorld('first waits until what is due now has ended, and the clock does not move meanwhile', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    to.onEvent = { hold: true };
    await daemon.publish(event());
    await to.waitHeld(1);
    const { now } = await daemon.clock();
    let answered = false;
    const advance = daemon.advance(60000).finally(() => (answered = true));
    const began = performance.now();
    await until(async () => {
      assert.equal((await daemon.clock()).now, now, 'the clock stands still while an attempt is in flight');
      assert.equal(answered, false, 'the advance waits for it');
      return performance.now() - began > 100;
    }, 2000, '100 ms');
    to.release();
    const answer = await advance;
    assert.equal(Date.parse(answer.now) - Date.parse(now), 60000);
    assert.equal(answer.attempts, 0, 'the attempt began before the clock began to move');
  });

  inWorld('goes from deadline to deadline, each at its own instant, and settles each before the next', async ({ daemon, receiver, to }) => {
    const other = receiver.endpoint('/other');
    await daemon.activeWebhook(to);
    await daemon.activeWebhook(other, { event_types: ['tag_created'] });
    to.break();
    other.break();
    await daemon.publish(event('work_created'));
    await daemon.settle();
    await daemon.advance(10000);
    await daemon.publish(event('tag_created'));
    await daemon.settle();
    const order = [];
    for (const endpoint of [to, other]) {
      endpoint.onEvent = (r) => {
        order.push((r.micros - to.events()[0].micros) / 1e6);
        return { status: 500, delayMs: 20 };
      };
    }
    const answer = await daemon.advance(3600000);
    assert.deepEqual(order, [30, 40, 210, 220]);
    assert.deepEqual([answer.attempts, answer.next], [4, null], 'counted; the clock stands at the target');
    assert.equal(to.events().length + other.events().length, 6);
  });

  inWorld('an advance moves the clock past many deadlines at once: 50 deliveries in retry', async ({ daemon, to }) => {
    await daemon.activeWebhook(to, {});
    to.onEvent = { status: 500 };
    const began = await daemon.now();
    await daemon.publishAll(events(4));
    await daemon.advance(1000);
    to.onEvent = (r) => (r.body.work_created.n < 4 ? { status: 500 } : {});
    await daemon.publishAll(events(46, 'work_created', (n) => ({ n: n + 4 })));
    const answer = await daemon.advance(29000);
    assert.deepEqual([Date.parse(answer.now) - began, answer.attempts], [30000, 4]);
    assert.equal(Date.parse(answer.next) - began, 210000);
  });

  inWorld('two advances at once wait in line', async ({ daemon }) => {
    const began = await daemon.now();
    const answers = await Promise.all([1000, 2000, 4000].map((ms) => daemon.advance(ms)));
    assert.equal(await daemon.now(), began + 7000);
    assert.equal(Math.max(...answers.map((a) => Date.parse(a.now))), began + 7000);
  });

  inWorld('the clock stands where it stood after a restart and a kill', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    await daemon.advance(12345678);
    await daemon.publish(event());
    const { now } = await daemon.settle();
    for (const kill of [false, true]) {
      await daemon.restart({ kill });
      assert.equal((await daemon.clock()).now, now);
    }
  });

  const cases = [
    [{}, 'missing_required_field', { field_name: 'ms' }],
    [{ ms: -1 }, 'value_not_permitted', { field_name: 'ms', reason: REASON }],
    [{ ms: 1.5 }, 'value_not_permitted', { field_name: 'ms', reason: REASON }],
    [{ ms: 1e18 }, 'value_not_permitted', { field_name: 'ms', reason: REASON }],
    ['{"ms":123456789012345678901234567890}', 'value_not_permitted', { field_name: 'ms', reason: REASON }],
    [{ ms: '30000' }, 'unexpected_json_type', { actual: 'string', expected: 'number', field_name: 'ms' }],
    [{ ms: null }, 'unexpected_json_type', { actual: 'null', expected: 'number', field_name: 'ms' }],
    [{ to: 'tomorrow' }, 'invalid_enum_value', { field_name: 'to', value: 'tomorrow', allowed_values: ['next'] }],
    [{ to: 5 }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'to' }],
    [{ ms: 1, to: 'next' }, 'value_not_permitted', { field_name: /^(ms|to)$/, reason: REASON }],
    [{ ms: 1, x: 1 }, 'invalid_field', { field_name: 'x' }],
  ];
  inWorld(`refuses ${cases.length} bad bodies, and the clock does not move`, async ({ daemon }) => {
    const before = await daemon.clock();
    for (const [body, type, fields] of cases) {
      assertError(await daemon.call('clock.advance', body), 400, type, fields, JSON.stringify(body));
    }
    assert.deepEqual(await daemon.clock(), before);
  });
});

describe('with the real clock', () => {
  inWorld('clock.get and clock.advance do not exist', { clock: 'real' }, async ({ daemon }) => {
    for (const [name, body] of [['clock.get', {}], ['clock.advance', { ms: 1 }]]) {
      const res = await daemon.call(name, body);
      assert.deepEqual([res.status, res.body], [404, { message: 'route not found' }], name);
    }
  });

  inWorld('is the default, and created_date is the time it is', { clock: null }, async ({ daemon }) => {
    assert.equal((await daemon.call('clock.get', {})).status, 404);
    const { created_date: created } = await daemon.publish(event());
    assert.ok(Math.abs(Date.parse(created) - Date.now()) < 5000, created);
  });
});
