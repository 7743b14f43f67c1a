// Limits on the rate of requests: the headers of the answers, 429 with the time to wait, which routes count together,
// and that the real clock decides, not the virtual one. Windows last a minute of the real clock and open with the first
// request, so a test that takes seconds stays within one.
import assert from 'node:assert/strict';
import { assertError } from './lib/errors.mjs';
import { event, UNKNOWN_WEBHOOK } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';

/** The three numbers of an answer, or null if it has none of them. */
function told(res) {
  const names = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'];
  if (names.every((name) => res.headers[name] === undefined)) return null;
  const [limit, remaining, reset] = names.map((name) => {
    assert.match(res.headers[name] ?? '', /^\d+$/, `${name} of ${res.status} ${res.text}`);
    return Number(res.headers[name]);
  });
  return { limit, remaining, reset };
}

/** 429 as DevRev's schema has it, with a wait that ends when the window does. */
function assertTooMany(res, limit, reset) {
  assertError(res, 429, 'too_many_requests', { retry_after: (s) => Number.isInteger(s) && s >= 1 && s <= 60 });
  assert.equal(res.headers['retry-after'], String(res.body.retry_after));
  assert.deepEqual(told(res), { limit, remaining: 0, reset });
  const now = Date.now() / 1000;
  assert.ok(now + res.body.retry_after >= reset - 1 && now + res.body.retry_after <= reset + 2, `now ${now}, wait ${res.body.retry_after}, reset ${reset}`);
}

inWorld('answers of webhooks.* count down, whatever they are, and then are 429', { set: { rate_limit_per_minute: 8 } }, async ({ daemon }) => {
  const before = Math.floor(Date.now() / 1000);
  const calls = [
    [() => daemon.call('webhooks.create', { url: 'http://127.0.0.1:1/' }), 201],
    [() => daemon.call('webhooks.list', {}), 200],
    [() => daemon.get('webhooks.list'), 200],
    [() => daemon.call('/internal/webhooks.list', {}), 200],
    [() => daemon.call('webhooks.get', { id: UNKNOWN_WEBHOOK }), 404],
    [() => daemon.call('webhooks.create', '{'), 400],
    [() => daemon.call('webhooks.list', {}, { headers: { 'X-DevRev-Version': '1999-01-01' } }), 400],
    [() => daemon.call('webhooks.delete', { id: UNKNOWN_WEBHOOK }), 404],
  ];
  let reset;
  for (const [n, [call, status]] of calls.entries()) {
    const res = await call();
    assert.equal(res.status, status, res.text);
    const numbers = told(res);
    reset ??= numbers.reset;
    assert.deepEqual(numbers, { limit: 8, remaining: 7 - n, reset }, `request ${n + 1}`);
  }
  assert.ok(reset >= before + 60 && reset <= Date.now() / 1000 + 60, `the window ends 60 s after its first request: ${reset - before}`);
  assertTooMany(await daemon.call('webhooks.create', { url: 'http://127.0.0.1:1/' }), 8, reset);
  assertTooMany(await daemon.call('webhooks.create', '{'), 8, reset);
  assertTooMany(await daemon.get('webhooks.list'), 8, reset);
  assertTooMany(await daemon.call('/internal/webhooks.list', {}), 8, reset);
});

inWorld('what is not a call with the token does not count and shows no numbers', { set: { rate_limit_per_minute: 2, rate_limit_own_per_minute: 2 } }, async ({ daemon }) => {
  const strangers = [
    await daemon.call('webhooks.list', {}, { token: null }),
    await daemon.call('webhooks.list', {}, { token: 'wrong' }),
    await daemon.call('webhooks.create', undefined, { method: 'PUT' }),
    await daemon.call('webhooks.nothing', {}),
    await daemon.get('healthz', { token: null }),
    await daemon.get('metrics'),
    await daemon.call('clock.get', {}),
    await daemon.call('clock.advance', { ms: 1 }),
  ];
  assert.deepEqual(strangers.map((res) => res.status), [401, 401, 405, 404, 200, 200, 200, 200]);
  for (const res of strangers) assert.equal(told(res), null, res.text.slice(0, 200));
  assert.equal(told(await daemon.call('webhooks.list', {})).remaining, 1);
});

inWorld('our own calls have a limit of their own; what is refused has no effect', { set: { rate_limit_per_minute: 3, rate_limit_own_per_minute: 4 } }, async ({ daemon, to }) => {
  await daemon.createWebhook({ url: to.url, event_types: ['work_created'] });
  await to.waitVerifies(1);
  await daemon.settle();
  const answers = [
    await daemon.call('events.publish', event()),
    await daemon.call('events.list', {}),
    await daemon.call('deliveries.list', {}),
    await daemon.call('events.sample', { type: 'work_created' }),
  ];
  assert.deepEqual(answers.map((res) => res.status), [202, 200, 200, 200]);
  assert.deepEqual(answers.map((res) => told(res).remaining), [3, 2, 1, 0]);
  const { reset } = told(answers[0]);
  for (const call of ['events.publish', 'events.get', 'deliveries.get', 'deliveries.redeliver']) {
    assertTooMany(await daemon.call(call, event()), 4, reset);
  }
  await daemon.settle();
  assert.equal(to.events().length, 1, 'deliveries are not limited, refused events are not published');
});

inWorld('the real clock decides: a minute of the virtual one changes nothing', { set: { rate_limit_per_minute: 1 } }, async ({ daemon }) => {
  const { reset } = told(await daemon.call('webhooks.list', {}));
  await daemon.advance(3600000);
  assertTooMany(await daemon.call('webhooks.list', {}), 1, reset);
});

inWorld('with --dev there is no limit', async ({ daemon }) => {
  for (const call of ['webhooks.list', 'events.list', 'deliveries.list']) assert.equal(told(await daemon.call(call, {})), null);
});

inWorld('without it webhooks.* may be called 8,000 times a minute, our own calls any number of times', { dev: false, token: 'a-token-of-my-own', env: { REVHOOK_TOKEN: 'a-token-of-my-own' } }, async ({ daemon }) => {
  const first = told(await daemon.call('webhooks.list', {}));
  assert.equal(first.limit, 8000);
  assert.equal(first.remaining, 7999);
  for (const call of ['events.list', 'deliveries.list']) assert.equal(told(await daemon.call(call, {})), null);
});
