// What happens to a webhook and to its queue when it fails for long, changes its url or secret, is switched off or deleted.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { assertError } from './lib/errors.mjs';
import { DAY, DEGRADED_VERIFY_DELAYS_S, event, events, HOUR, VERIFY_AT_S, VERIFY_WINDOW_MS } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';
import { until } from './lib/wait.mjs';

const WRONG = { body: '{"challenge":"wrong"}' };
const gaps = (requests) => requests.slice(1).map((r, n) => (r.micros - requests[n].micros) / 1e6);

/** An active webhook that becomes degraded: five deliveries use up their attempts. */
async function degraded(daemon, to) {
  const webhook = await daemon.activeWebhook(to);
  to.breakAll();
  const published = await daemon.publishAll(events(5));
  await daemon.settle();
  await daemon.advance(30000);
  await daemon.advance(180000);
  await daemon.waitStatus(webhook.id, 'unverified', { health: 'degraded' });
  return { webhook, published };
}

describe('degraded', () => {
  inWorld('five exhausted deliveries in a row degrade: the queue fails webhook_degraded without a POST, verify restarts at once', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.breakAll();
    const first = await daemon.publishAll(events(5));
    await daemon.settle();
    await daemon.advance(30000);
    const queued = await daemon.publishAll(events(3));
    await daemon.settle();
    await daemon.advance(179999);
    assert.equal((await daemon.webhook(webhook.id)).status, 'active', 'not before the fifth used up its attempts');
    const posts = to.events().length;
    assert.equal(posts, 5 * 2 + 3 * 2);
    await daemon.advance(1);
    const now = await daemon.now();

    const { status, health } = await daemon.webhook(webhook.id);
    assert.deepEqual([status, health.state, health.consecutive_failures, health.reason], ['unverified', 'degraded', 5, 'deliveries_failing']);
    assert.equal(Date.parse(health.since), now);
    assert.equal(Date.parse(health.next_verify_at), now + 30000);
    assert.equal(to.events().length, posts + 5, 'the last five attempts, none for the queue');
    for (const e of first) {
      const d = await daemon.deliveryOf(e, webhook);
      assert.deepEqual([d.state, d.reason, d.attempt_count], ['failed', 'attempts_exhausted', 3]);
    }
    for (const e of queued) {
      const d = await daemon.deliveryOf(e, webhook);
      assert.deepEqual([d.state, d.reason, d.attempt_count], ['failed', 'webhook_degraded', 2]);
    }
    assert.equal(to.verifies().length, 2, 'a verify at once');
    assert.equal(to.verifies()[1].micros, to.events().at(-1).micros);

    const during = await daemon.publish(event());
    const d = await daemon.deliveryOf(during, webhook);
    assert.deepEqual([d.state, d.reason, d.attempt_count], ['failed', 'webhook_degraded', 0], 'accepted while degraded: recorded, not sent');
    assertError(await daemon.call('deliveries.redeliver', { id: d.id }), 400, 'bad_request');
    await daemon.advance(600000);
    assert.equal(to.events().length, posts + 5, 'no event is sent while degraded');
    to.assertSigned();

    to.heal();
    await daemon.advance(600000);
    const healed = await daemon.webhook(webhook.id);
    assert.deepEqual([healed.status, healed.health.state, healed.health.consecutive_failures], ['active', 'active', 0]);
    assert.equal(to.events().length, posts + 5, 'what failed stays failed');
    await daemon.publish(event());
    await daemon.settle();
    assert.equal(to.events().length, posts + 6, 'a promoted webhook gets events again');
    await daemon.ok('deliveries.redeliver', { id: d.id });
    await daemon.settle();
    assert.equal((await daemon.delivery(d.id)).state, 'delivered', 'what failed while degraded can be sent by hand');
  });

  inWorld(`verify is repeated after ${DEGRADED_VERIFY_DELAYS_S.join(', ')} s, each with its own challenge`, async ({ daemon, to }) => {
    await degraded(daemon, to);
    for (let n = 0; n < DEGRADED_VERIFY_DELAYS_S.length; n++) await daemon.advance('next');
    const probes = to.verifies().slice(1);
    assert.deepEqual(gaps(probes), DEGRADED_VERIFY_DELAYS_S);
    assert.equal(new Set(probes.map((r) => r.challenge)).size, probes.length);
  });

  inWorld('an acknowledgement in between starts the count again', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    const bad = { status: 500 };
    to.onEvent = (r) => (r.body.work_created.fail ? bad : {});
    const failing = (count) => events(count, 'work_created', (n) => ({ n, fail: true }));
    await daemon.publishAll(failing(4));
    await daemon.settle();
    await daemon.advance(210000);
    assert.equal((await daemon.webhook(webhook.id)).health.consecutive_failures, 4);
    await daemon.publish(event());
    const { now } = await daemon.settle();
    const { health } = await daemon.webhook(webhook.id);
    assert.equal(health.consecutive_failures, 0);
    assert.equal(Date.parse(health.last_success_at), Date.parse(now));
    await daemon.publishAll(failing(4));
    await daemon.settle();
    await daemon.advance(210000);
    assert.deepEqual([(await daemon.webhook(webhook.id)).status, (await daemon.webhook(webhook.id)).health.consecutive_failures], ['active', 4]);
    to.onVerify = WRONG;
    await daemon.publishAll(failing(1));
    await daemon.settle();
    await daemon.advance(210000);
    assert.equal((await daemon.webhook(webhook.id)).health.state, 'degraded');
  });

  inWorld('a healthy receiver behind a degraded webhook is active again within the same instant', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break();
    await daemon.publishAll(events(5));
    await daemon.settle();
    await daemon.advance(210000);
    assert.equal((await daemon.webhook(webhook.id)).status, 'active', 'it echoed the verify that follows at once');
    assert.equal(to.verifies().length, 2);
  });

  inWorld('after 5 days without an echo it is inactive, reason degraded_too_long, and left alone', async ({ daemon, to }) => {
    const { webhook } = await degraded(daemon, to);
    await daemon.advance(5 * DAY - 1);
    assert.equal((await daemon.webhook(webhook.id)).health.state, 'degraded');
    await daemon.advance(1);
    const { status, health } = await daemon.webhook(webhook.id);
    assert.deepEqual([status, health.state, health.reason], ['inactive', 'inactive', 'degraded_too_long']);
    const verifies = to.verifies().length;
    assert.ok(verifies > 700 && verifies < 740, `one verify each 10 min for 5 days, saw ${verifies}`);
    await daemon.advance(5 * DAY);
    assert.equal(to.verifies().length, verifies);
    to.heal();
    assert.equal((await daemon.update(webhook.id, { action: 'activate' })).status, 'active', 'this generation was verified before');
    await daemon.publish(event());
    await daemon.settle();
    assert.equal((await daemon.deliveries({ webhook: webhook.id, state: 'delivered' })).length, 1);
  });

  inWorld('activate verifies at once and starts the backoff again', async ({ daemon, to }) => {
    const { webhook } = await degraded(daemon, to);
    await daemon.advance(30000);
    await daemon.advance(70000);
    const before = to.verifies().length;
    assert.equal((await daemon.update(webhook.id, { action: 'activate' })).status, 'unverified');
    await to.waitVerifies(before + 1);
    await daemon.settle();
    assert.equal((await daemon.webhook(webhook.id)).health.state, 'degraded');
    for (let n = 0; n < 3; n++) await daemon.advance('next');
    assert.deepEqual(gaps(to.verifies().slice(before)), [30, 60, 120]);
    to.heal();
    await daemon.update(webhook.id, { action: 'activate' });
    await daemon.waitActive(webhook.id);
  });

  inWorld('a new url or secret makes it unverified with a new window', async ({ daemon, to }) => {
    const { webhook } = await degraded(daemon, to);
    const before = to.verifies().length;
    const updated = await daemon.update(webhook.id, { secret: 'another-secret' });
    assert.deepEqual([updated.status, updated.health.state], ['unverified', 'unverified']);
    await to.waitVerifies(before + 1);
    await daemon.advance(HOUR);
    const run = to.verifies().slice(before);
    assert.deepEqual(run.map((r) => (r.micros - run[0].micros) / 1e6), VERIFY_AT_S);
    to.assertSigned('another-secret', run);
  });

  inWorld('survives a restart and a kill, and goes on being verified', async ({ daemon, to }) => {
    const { webhook } = await degraded(daemon, to);
    for (const kill of [false, true]) {
      await daemon.restart({ kill });
      assert.equal((await daemon.webhook(webhook.id)).health.state, 'degraded');
    }
    to.heal();
    await daemon.advance(600000);
    assert.equal((await daemon.webhook(webhook.id)).status, 'active');
  });

  inWorld('is shown as status degraded when so configured', { set: { degraded_status_visible: 'true' } }, async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.breakAll();
    await daemon.publishAll(events(5));
    await daemon.settle();
    await daemon.advance(210000);
    assert.equal((await daemon.webhook(webhook.id)).status, 'degraded');
    const listed = async (status) => (await daemon.ok('webhooks.list', { status: [status] })).webhooks.map((w) => w.id);
    assert.deepEqual(await listed('degraded'), [webhook.id]);
    assert.deepEqual(await listed('unverified'), []);
    const words = ['active', 'degraded', 'inactive', 'unverified'];
    assertError(await daemon.call('webhooks.list', { status: ['broken'] }), 400, 'invalid_enum_value', { field_name: 'status[0]', value: 'broken', allowed_values: words });
    await daemon.restart({ set: { degraded_status_visible: 'false' } });
    assert.deepEqual(await listed('unverified'), [webhook.id]);
    assertError(await daemon.call('webhooks.list', { status: ['degraded'] }), 400, 'invalid_enum_value', { field_name: 'status[0]', value: 'degraded', allowed_values: ['active', 'inactive', 'unverified'] });
  });
});

describe('a new url or secret on an active webhook', () => {
  inWorld('holds what was accepted, then sends it to the new url under the new secret, not before it is due', async ({ daemon, receiver }) => {
    const old = receiver.endpoint('/old');
    const fresh = receiver.endpoint('/new');
    const webhook = await daemon.activeWebhook(old);
    old.break();
    const published = await daemon.publish(event());
    await daemon.settle();
    const began = await daemon.now();
    fresh.onVerify = WRONG;
    const updated = await daemon.update(webhook.id, { url: fresh.url, secret: 'the-new-secret' });
    assert.equal(updated.status, 'unverified');
    await fresh.waitVerifies(1);
    await daemon.settle();
    const { id } = await daemon.deliveryOf(published, webhook);
    assert.equal((await daemon.delivery(id)).state, 'held');
    assert.deepEqual((await daemon.deliveries({ state: 'held' })).map((d) => d.id), [id]);
    assert.equal((await daemon.publish(event())).deliveries, 0, 'an event that occurs meanwhile does not wait for it');
    await daemon.advance(10000);
    fresh.heal();
    await daemon.advance(5000);
    await daemon.waitActive(webhook.id);
    assert.equal((await daemon.delivery(id)).state, 'pending');
    assert.equal(fresh.events().length, 0, 'its retry is due at 30 s, not when the webhook is verified');
    await daemon.advance(15000);
    assert.equal(await daemon.now(), began + 30000);
    assert.deepEqual(fresh.events().map((r) => r.eventKey), [published.id.split(':event/')[1]]);
    const delivery = await daemon.delivery(id);
    assert.deepEqual([delivery.state, delivery.attempt_count], ['delivered', 2]);
    fresh.assertSigned('the-new-secret');
    old.assertSigned(webhook.secret);
    assert.equal(old.events().length, 1, 'nothing more to the old url');
  });

  inWorld('sends a held delivery at once that fell due while it was held', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break();
    const published = await daemon.publish(event());
    await daemon.settle();
    to.onVerify = WRONG;
    await daemon.update(webhook.id, { secret: '' });
    await to.waitVerifies(2);
    await daemon.advance(59999);
    assert.equal(to.events().length, 1, 'no POST while held');
    to.heal();
    await daemon.advance(1);
    const delivery = await daemon.deliveryOf(published, webhook);
    assert.deepEqual([delivery.state, delivery.attempt_count], ['delivered', 2]);
  });

  inWorld('a held delivery keeps its place across a restart', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break();
    const published = await daemon.publish(event());
    await daemon.settle();
    to.onVerify = WRONG;
    await daemon.update(webhook.id, { url: to.url });
    await to.waitVerifies(2);
    await daemon.settle();
    await daemon.restart({ kill: true });
    assert.equal((await daemon.deliveryOf(published, webhook)).state, 'held');
    to.heal();
    await daemon.advance(100000);
    assert.deepEqual([(await daemon.deliveryOf(published, webhook)).state, to.events().length], ['delivered', 2]);
  });

  inWorld('fails what is held with webhook_unverified when the window ends', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break();
    const published = await daemon.publishAll(events(3));
    await daemon.settle();
    to.onVerify = WRONG;
    await daemon.update(webhook.id, { url: to.url });
    await to.waitVerifies(2);
    await daemon.advance(VERIFY_WINDOW_MS - 1);
    for (const e of published) assert.equal((await daemon.deliveryOf(e, webhook)).state, 'held');
    await daemon.advance(1);
    for (const e of published) {
      const d = await daemon.deliveryOf(e, webhook);
      assert.deepEqual([d.state, d.reason, d.attempt_count], ['failed', 'webhook_unverified', 1]);
    }
    assert.equal(to.events().length, 3);
  });

  inWorld('lets an attempt in flight end: acknowledged it is delivered, otherwise it is held and the attempt counts', async ({ daemon, receiver }) => {
    const old = receiver.endpoint('/old');
    const fresh = receiver.endpoint('/new');
    const webhook = await daemon.activeWebhook(old);
    old.onEvent = { hold: true };
    const [first, second] = await daemon.publishAll(events(2));
    await old.waitHeld(2);
    fresh.onVerify = WRONG;
    await daemon.update(webhook.id, { url: fresh.url });
    await fresh.waitVerifies(1);
    old.release(2, (r) => (r.body.work_created.n === 0 ? {} : { status: 500 }));
    await daemon.settle();
    assert.equal((await daemon.deliveryOf(first, webhook)).state, 'delivered');
    const held = await daemon.deliveryOf(second, webhook);
    assert.deepEqual([held.state, held.attempt_count], ['held', 1]);
    fresh.heal();
    await daemon.advance(30000);
    const delivery = await daemon.deliveryOf(second, webhook);
    assert.deepEqual([delivery.state, delivery.attempt_count], ['delivered', 2]);
    assert.deepEqual(fresh.events().map((r) => (r.micros - old.events()[1].micros) / 1e6), [30], 'not before its retry is due');
  });

  for (const [what, change, state, reason] of [['deactivate', (d, id) => d.update(id, { action: 'deactivate' }), 'dropped', 'webhook_inactive'], ['delete', (d, id) => d.remove(id), 'dropped', 'webhook_deleted']]) {
    inWorld(`${what} ends what is held: ${reason}`, async ({ daemon, to }) => {
      const webhook = await daemon.activeWebhook(to);
      to.break();
      const published = await daemon.publish(event());
      await daemon.settle();
      to.onVerify = WRONG;
      await daemon.update(webhook.id, { url: to.url });
      await to.waitVerifies(2);
      const { id } = await daemon.deliveryOf(published, webhook);
      await change(daemon, webhook.id);
      const d = await daemon.delivery(id);
      assert.deepEqual([d.state, d.reason], [state, reason]);
      await daemon.advance(HOUR);
      assert.deepEqual([to.events().length, to.verifies().length], [1, 2]);
    });
  }
});

describe('switched off or deleted', () => {
  for (const [what, end, reason] of [['deactivate', (d, id) => d.update(id, { action: 'deactivate' }), 'webhook_inactive'], ['delete', (d, id) => d.remove(id), 'webhook_deleted']]) {
    inWorld(`${what} drops what is queued as ${reason}, and no POST starts after its answer`, async ({ daemon, to }) => {
      const webhook = await daemon.activeWebhook(to);
      to.break();
      const published = await daemon.publishAll(events(40));
      await daemon.settle();
      const posts = to.events().length;
      await end(daemon, webhook.id);
      for (const e of published.slice(0, 5)) {
        const [d] = await daemon.deliveries({ event: e.id });
        assert.deepEqual([d.state, d.reason, d.attempt_count], ['dropped', reason, 1]);
      }
      assert.equal((await daemon.publish(event())).deliveries, 0);
      await daemon.advance(DAY);
      assert.deepEqual([posts, to.events().length, to.verifies().length], [40, 40, 1]);
      assert.equal((await daemon.deliveries({ state: 'dropped' })).length, 40);
    });

    inWorld(`${what} lets attempts in flight end: delivered if acknowledged, else ${reason}; the rest of the queue is dropped`, async ({ daemon, to }) => {
      const webhook = await daemon.activeWebhook(to);
      to.onEvent = { hold: true };
      const published = await daemon.publishAll(events(40));
      await to.waitHeld(32);
      await end(daemon, webhook.id);
      to.release(Infinity, (r) => (r.body.work_created.n % 2 ? { status: 500 } : {}));
      await daemon.settle();
      for (const [n, e] of published.entries()) {
        const [d] = await daemon.deliveries({ event: e.id });
        const expected = n < 32 && n % 2 === 0 ? ['delivered', null, 1] : ['dropped', reason, n < 32 ? 1 : 0];
        assert.deepEqual([d.state, d.reason ?? null, d.attempt_count], expected, `event ${n}`);
      }
      await daemon.advance(DAY);
      assert.equal(to.events().length, 32, 'none of the queue was sent');
    });
  }

  inWorld('under load no event POST arrives that began after the answer to delete', { clock: 'real' }, async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    await daemon.publishAll(events(1000));
    await to.waitEvents(100);
    await daemon.remove(webhook.id);
    const answered = Date.now() * 1000 + 2000;
    const other = to.receiver.endpoint('/after');
    await daemon.activeWebhook(other, { event_types: ['tag_created'] });
    await daemon.publish(event('tag_created'));
    await other.waitEvents(1);
    const late = to.events().filter((r) => r.micros > answered);
    assert.deepEqual(late.map((r) => r.body.timestamp), [], `none began after ${new Date(answered / 1000).toISOString()}`);
    const ends = await until(async () => {
      const states = (await daemon.deliveries()).filter((d) => d.type === 'work_created').map((d) => d.state);
      return !states.includes('in_flight') && states;
    }, 4000, 'the end of the attempts in flight');
    assert.equal(ends.length, 1000);
    assert.deepEqual(ends.filter((s) => s !== 'delivered' && s !== 'dropped'), [], 'each ended as delivered or dropped');
    assert.equal(ends.filter((s) => s === 'delivered').length, to.events().length, 'every POST that was acknowledged is recorded');
  });

  inWorld('a webhook made after a delete has another id, also after a kill', async ({ daemon }) => {
    const ids = new Set();
    for (let n = 0; n < 10; n++) {
      const { id } = await daemon.createWebhook({ url: 'http://127.0.0.1:1/' });
      ids.add(id);
      await daemon.remove(id);
      if (n === 5) await daemon.restart({ kill: true });
    }
    assert.equal(ids.size, 10);
    assert.deepEqual((await daemon.ok('webhooks.list', {})).webhooks, []);
  });

  inWorld('states and queues are the same after a restart as before', async ({ daemon, receiver }) => {
    const make = async (path, after) => {
      const to = receiver.endpoint(path);
      const webhook = await daemon.activeWebhook(to, { headers: [{ name: 'x', value: path }] });
      to.breakAll();
      await after?.(webhook, to);
      return webhook;
    };
    await make('/active');
    await make('/inactive', (w) => daemon.update(w.id, { action: 'deactivate' }));
    await make('/unverified', async (w, to) => {
      await daemon.update(w.id, { secret: '' });
      await to.waitVerifies(2);
    });
    await make('/deleted', (w) => daemon.remove(w.id));
    await daemon.publishAll(events(3));
    await daemon.settle();
    const look = async () => [await daemon.ok('webhooks.list', {}), await daemon.deliveries(), await daemon.events(), (await daemon.clock()).now];
    const before = await look();
    for (const kill of [false, true, true]) {
      await daemon.restart({ kill });
      assert.deepEqual(await look(), before, kill ? 'after a kill' : 'after a stop');
    }
  });
});
