// Verification: what a verify request looks like, which answer verifies, when verify requests go out, and that no event
// is sent before.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { echo } from './lib/receiver.mjs';
import { event, VERIFY_AT_S, VERIFY_WINDOW_MS, WIRE_EVENT_ID, WIRE_TIMESTAMP } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';

const WRONG = { body: '{"challenge":"wrong"}' };
const seconds = (requests, from = requests[0].micros) => requests.map((r) => (r.micros - from) / 1e6);

describe('the verify request', () => {
  inWorld('has the envelope of an event, the challenge in verify.challenge and at the top level, and a signature', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    const [request, ...more] = to.requests;
    assert.deepEqual(more, []);
    const { body } = request;
    assert.deepEqual(Object.keys(body).slice(0, 4), ['id', 'webhook_id', 'timestamp', 'type']);
    assert.deepEqual(Object.keys(body).slice(4).sort(), ['challenge', 'verify']);
    assert.match(body.id, WIRE_EVENT_ID);
    assert.equal(body.webhook_id, webhook.id);
    assert.match(body.timestamp, WIRE_TIMESTAMP);
    assert.equal(body.type, 'verify');
    assert.deepEqual(Object.keys(body.verify), ['challenge']);
    assert.match(body.verify.challenge, /^[A-Za-z0-9]{40}$/);
    assert.equal(body.challenge, body.verify.challenge);
    assert.equal(request.method, 'POST');
    assert.match(request.headers['content-type'], /^application\/json(;|$)/);
    assert.equal(JSON.stringify(body), request.text);
    to.assertSigned();
  });

  inWorld('leaves the top-level challenge out when told so', { set: { top_level_challenge: 'false' } }, async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    assert.deepEqual(Object.keys(to.requests[0].body), ['id', 'webhook_id', 'timestamp', 'type', 'verify']);
  });
});

describe('which answer verifies', () => {
  const other = (c) => c.replace(/./, (first) => (first === 'A' ? 'B' : 'A'));
  const json = (value) => ({ body: JSON.stringify(value) });
  const cases = [
    ['200 and the echo', (c) => json({ challenge: c }), true],
    ['201 and the echo', (c) => ({ status: 201, ...json({ challenge: c }) }), true],
    ['text/plain with a newline at the end', (c) => ({ headers: { 'Content-Type': 'text/plain' }, body: `{"challenge":"${c}"}\n` }), true],
    ['extra properties', (c) => json({ ok: true, challenge: c, nested: { challenge: 'x' } }), true],
    ['white space around', (c) => ({ body: ` \n{ "challenge" : "${c}" } ` }), true],
    ['the echo written with an escape', (c) => ({ body: `{"challenge":"\\u00${c.charCodeAt(0).toString(16)}${c.slice(1)}"}` }), true],
    ['in chunks', (c) => ({ raw: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n38\r\n{"challenge":"${c}"}\r\n0\r\n\r\n` }), true],
    ['an empty body', () => ({ body: '' }), false],
    ['an empty object', () => ({ body: '{}' }), false],
    ['another challenge', (c) => json({ challenge: other(c) }), false],
    ['the challenge cut short', (c) => json({ challenge: c.slice(0, -1) }), false],
    ['the challenge with a byte more', (c) => json({ challenge: `${c}x` }), false],
    ['the challenge with a space', (c) => json({ challenge: ` ${c}` }), false],
    ['the challenge in other capitals', (c) => json({ challenge: c.toLowerCase() === c ? c.toUpperCase() : c.toLowerCase() }), false],
    ['the challenge in an array', (c) => json({ challenge: [c] }), false],
    ['the challenge below verify only', (c) => json({ verify: { challenge: c } }), false],
    ['the challenge as plain text', (c) => ({ body: c }), false],
    ['the challenge as a JSON string', (c) => json(c), false],
    ['an array around it', (c) => json([{ challenge: c }]), false],
    ['broken JSON', (c) => ({ body: `{"challenge":"${c}"` }), false],
    ['two challenges', (c) => ({ body: `{"challenge":"wrong","challenge":"${c}"}` }), false],
    ['301 and the echo', (c) => ({ status: 301, headers: { Location: '/' }, ...json({ challenge: c }) }), false],
    ['400 and the echo', (c) => ({ status: 400, ...json({ challenge: c }) }), false],
    ['500 and the echo', (c) => ({ status: 500, ...json({ challenge: c }) }), false],
    ['the echo in more than 64 KiB', (c) => json({ pad: 'x'.repeat(65536), challenge: c }), false],
    ['the echo cut short by the connection', (c) => ({ raw: `HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"challenge":"${c}"}` }), false],
    ['a reset', () => ({ reset: true }), false],
  ];
  inWorld(`${cases.length} answers: only a 2xx with the exact challenge does`, async ({ daemon, receiver }) => {
    const made = [];
    for (const [n, [what, answer, verifies]] of cases.entries()) {
      const to = receiver.endpoint(`/answer-${n}`);
      to.onVerify = (r) => answer(r.challenge);
      made.push({ what, verifies, to, webhook: await daemon.createWebhook({ url: to.url }) });
    }
    for (const { to } of made) await to.waitVerifies(1);
    await daemon.settle();
    const shown = [];
    for (const { webhook } of made) shown.push((await daemon.webhook(webhook.id)).status);
    assert.deepEqual(
      made.map(({ what }, n) => [what, shown[n]]),
      made.map(({ what, verifies }) => [what, verifies ? 'active' : 'unverified']),
    );
    assert.equal(new Set(made.map(({ to }) => to.verifies()[0].challenge)).size, made.length, 'challenges are never the same');
  });

  inWorld('the challenge of an earlier request, or of another webhook, does not', async ({ daemon, receiver }) => {
    const earlier = receiver.endpoint('/earlier');
    earlier.onVerify = (r, to) => ({ body: JSON.stringify({ challenge: to.verifies().at(-2)?.challenge ?? 'none' }) });
    const foreign = receiver.endpoint('/foreign');
    foreign.onVerify = () => ({ body: JSON.stringify({ challenge: earlier.verifies().at(-1)?.challenge ?? 'none' }) });
    const one = await daemon.createWebhook({ url: earlier.url });
    const two = await daemon.createWebhook({ url: foreign.url });
    await foreign.waitVerifies(1);
    await daemon.advance(VERIFY_WINDOW_MS);
    assert.ok(earlier.verifies().length > 1 && foreign.verifies().length > 1);
    assert.deepEqual([(await daemon.webhook(one.id)).status, (await daemon.webhook(two.id)).status], ['unverified', 'unverified']);
  });

  inWorld('an echo after 3 s does not (real time); the next one does', async ({ daemon, to }) => {
    to.onVerify = (r, endpoint) => (endpoint.verifies().length === 1 ? { delayMs: 3300, ...echo(r) } : echo(r));
    const webhook = await daemon.createWebhook({ url: to.url });
    await to.waitVerifies(1);
    const began = performance.now();
    await daemon.settle();
    const took = performance.now() - began;
    assert.ok(took > 2500 && took < 3600, `settled after ${took.toFixed()} ms`);
    assert.equal((await daemon.webhook(webhook.id)).status, 'unverified');
    await daemon.advance(5000);
    assert.equal((await daemon.webhook(webhook.id)).status, 'active');
  });
});

describe('when verify requests go out', () => {
  inWorld(`at ${VERIFY_AT_S.join(', ')} s after create, each with its own challenge, then never again`, async ({ daemon, to }) => {
    to.onVerify = WRONG;
    const webhook = await daemon.createWebhook({ url: to.url, event_types: ['work_created'] });
    await to.waitVerifies(1);
    await daemon.settle();
    const created = Date.parse(webhook.created_date);
    for (let n = 1; n < VERIFY_AT_S.length; n++) {
      const { health } = await daemon.webhook(webhook.id);
      assert.equal((Date.parse(health.next_verify_at) - created) / 1000, VERIFY_AT_S[n], 'health.next_verify_at');
      await daemon.advance('next');
      assert.equal(to.verifies().length, n + 1);
      assert.equal(await daemon.now(), created + VERIFY_AT_S[n] * 1000, 'the clock stands at the deadline');
    }
    await daemon.advance(VERIFY_WINDOW_MS);
    assert.deepEqual(seconds(to.verifies()), VERIFY_AT_S);
    assert.equal(new Set(to.verifies().map((r) => r.challenge)).size, VERIFY_AT_S.length);
    to.assertSigned(webhook.secret);
    to.heal();
    const { next } = await daemon.advance(24 * 3600 * 1000);
    assert.equal(next, null);
    assert.equal(to.requests.length, VERIFY_AT_S.length, 'the window is over');
    const { status, health } = await daemon.webhook(webhook.id);
    assert.deepEqual([status, health.state], ['unverified', 'unverified']);
    assert.ok(health.next_verify_at === null || health.next_verify_at === undefined, JSON.stringify(health));
  });

  inWorld('not after the echo: one that comes at 60 s ends the run', async ({ daemon, to }) => {
    to.onVerify = (r, endpoint) => (endpoint.verifies().length < 5 ? WRONG : echo(r));
    const webhook = await daemon.createWebhook({ url: to.url });
    await to.waitVerifies(1);
    await daemon.advance(59999);
    assert.equal((await daemon.webhook(webhook.id)).status, 'unverified');
    await daemon.advance(1);
    assert.equal((await daemon.webhook(webhook.id)).status, 'active');
    await daemon.advance(24 * 3600 * 1000);
    assert.deepEqual(seconds(to.verifies()), [0, 5, 15, 30, 60]);
    assert.equal((await daemon.webhook(webhook.id)).status, 'active');
  });

  const restarts = [
    ['activate', () => ({ action: 'activate' })],
    ['a new secret', () => ({ secret: '' })],
    ['the url given again', (to) => ({ url: to.url })],
  ];
  for (const [what, change] of restarts) {
    inWorld(`${what} opens a new window, inside the old one and after it`, async ({ daemon, to }) => {
      to.onVerify = WRONG;
      const webhook = await daemon.createWebhook({ url: to.url });
      await to.waitVerifies(1);
      await daemon.advance(20000);
      assert.deepEqual(seconds(to.verifies()), [0, 5, 15]);
      assert.equal((await daemon.update(webhook.id, change(to))).status, 'unverified');
      await to.waitVerifies(4);
      await daemon.advance(VERIFY_WINDOW_MS + 60000);
      const second = to.verifies().slice(3);
      assert.deepEqual(seconds(second), VERIFY_AT_S, 'the old run is cancelled, the new one is whole');
      assert.equal((second[0].micros - to.verifies()[0].micros) / 1e6, 20);
      to.heal();
      await daemon.update(webhook.id, change(to));
      await daemon.waitActive(webhook.id);
      assert.equal(to.verifies().length, 3 + 8 + 1);
    });
  }

  inWorld('a run goes on after a restart and ends with its window', async ({ daemon, to }) => {
    to.onVerify = WRONG;
    const webhook = await daemon.createWebhook({ url: to.url });
    await to.waitVerifies(1);
    await daemon.advance(20000);
    for (const kill of [false, true]) {
      await daemon.restart({ kill });
      await daemon.advance(20000);
    }
    await daemon.advance(3600 * 1000);
    const times = seconds(to.verifies());
    for (const t of [100, 140, 175]) assert.ok(times.includes(t), `a verify request at ${t} s, saw ${times}`);
    assert.ok(times.every((t) => t < 180), `none after the window, saw ${times}`);
    assert.equal((await daemon.webhook(webhook.id)).status, 'unverified');
  });

  inWorld('a late echo of an old url does not verify the new one', async ({ daemon, receiver }) => {
    const old = receiver.endpoint('/old');
    const fresh = receiver.endpoint('/new');
    old.onVerify = { hold: true };
    fresh.onVerify = WRONG;
    const webhook = await daemon.createWebhook({ url: old.url });
    await old.waitHeld(1);
    await daemon.update(webhook.id, { url: fresh.url });
    await fresh.waitVerifies(1);
    old.release(1, echo);
    await daemon.settle();
    assert.equal((await daemon.webhook(webhook.id)).status, 'unverified');
    fresh.heal();
    await daemon.advance(5000);
    assert.equal((await daemon.webhook(webhook.id)).status, 'active');
    assert.deepEqual([old.verifies().length, fresh.verifies().length], [1, 2]);
  });
});

describe('before it is verified', () => {
  inWorld('a webhook gets no event, and none of before is sent afterwards', async ({ daemon, to }) => {
    to.onVerify = WRONG;
    const webhook = await daemon.createWebhook({ url: to.url, event_types: ['work_created'] });
    await to.waitVerifies(1);
    assert.equal((await daemon.publish(event())).deliveries, 0);
    await daemon.advance(10000);
    assert.equal((await daemon.publish(event())).deliveries, 0);
    to.heal();
    await daemon.advance(5000);
    await daemon.waitActive(webhook.id);
    const after = await daemon.publish(event());
    assert.equal(after.deliveries, 1);
    await daemon.advance(24 * 3600 * 1000);
    assert.deepEqual(to.events().map((r) => r.eventKey), [after.id.split(':event/')[1]]);
    assert.ok(to.requests.findIndex((r) => !r.isVerify) > to.requests.findLastIndex((r) => r.isVerify), 'no event before the last verify');
  });

  inWorld('an inactive webhook gets neither events nor verify requests', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    await daemon.update(webhook.id, { action: 'deactivate' });
    assert.equal((await daemon.publish(event())).deliveries, 0);
    await daemon.advance(24 * 3600 * 1000);
    await daemon.update(webhook.id, { action: 'activate' });
    await daemon.advance(24 * 3600 * 1000);
    assert.equal(to.requests.length, 1, 'the first verify and nothing else; nothing is made up for');
  });
});
