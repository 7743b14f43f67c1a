// Many events: a clean run in which every delivery is accounted for and none is doubled, and runs in which the service is
// killed in the middle, after which nothing that was acknowledged is missing.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { startReceiver } from './lib/receiver.mjs';
import { event } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';
import { gate, until } from './lib/wait.mjs';

const TYPES = ['work_created', 'work_updated', 'work_deleted', 'tag_created', 'tag_updated', 'tag_deleted', 'part_created', 'part_updated', 'part_deleted', 'rev_user_created'];

/** `count` webhooks, webhook n subscribed to the types of n; all active, each with a receiver of its own. */
async function subscribe(t, daemon, count, typesOf) {
  const hooks = [];
  for (let n = 0; n < count; n++) {
    const receiver = await startReceiver();
    t.after(() => receiver.close());
    const to = receiver.endpoint(`/hook-${n}`);
    const types = typesOf(n);
    const webhook = await daemon.createWebhook({ url: to.url, event_types: types });
    to.secret = webhook.secret;
    hooks.push({ id: webhook.id, to, types });
  }
  for (const { id } of hooks) await daemon.waitActive(id);
  return hooks;
}

/**
 * Fill every webhook's 32 places with held requests, then answer them: the connections are open before the load begins. Node
 * accepts one connection of a listener each time around its loop, and a busy loop would leave new ones waiting for seconds.
 */
async function warmUp(daemon, hooks) {
  for (const { to } of hooks) to.onEvent = { hold: true };
  const published = await daemon.publishAll(TYPES.flatMap((type) => Array.from({ length: 32 }, () => event(type))));
  for (const { to } of hooks) await to.waitHeld(32);
  for (const { to } of hooks) {
    to.heal();
    to.release();
  }
  return published;
}

/** Wait until no delivery is open. */
async function allEnded(daemon, ms) {
  let open;
  await until(
    async () => {
      open = [];
      for (const state of ['pending', 'in_flight', 'held']) {
        open.push(...(await daemon.ok('deliveries.list', { state, limit: 100 })).deliveries);
      }
      return open.length === 0;
    },
    ms,
    async () => {
      const { delivery } = await daemon.ok('deliveries.get', { id: open[0].id });
      return `the end of every delivery, ${open.length} or more are open; one is ${JSON.stringify(delivery)}`;
    },
  );
}

const key = (id) => id.split(':event/')[1];

describe('a clean run', () => {
  inWorld('10,000 events over 20 webhooks in batches: each delivered once, signed, and accounted for', { clock: 'real' }, async ({ daemon, t }) => {
    const hooks = await subscribe(t, daemon, 20, (n) => [TYPES[n % 10], TYPES[(n + 1) % 10]]);
    const published = await warmUp(daemon, hooks);
    for (let batch = 0; published.length < 10000; batch++) {
      const list = Array.from({ length: Math.min(100, 10000 - published.length) }, (_, n) => event(TYPES[(batch * 7 + n) % 10], { batch, n, text: 'é "quoted"' }));
      published.push(...(await daemon.publishAll(list)));
    }
    assert.equal(published.length, 10000);
    assert.equal(new Set(published.map((e) => e.id)).size, 10000);
    const expected = new Map(hooks.map((hook) => [hook.id, published.filter((e) => hook.types.includes(e.type)).map((e) => key(e.id))]));
    const total = [...expected.values()].reduce((sum, list) => sum + list.length, 0);
    assert.equal(published.reduce((sum, e) => sum + e.deliveries, 0), total);
    await until(() => hooks.reduce((sum, { to }) => sum + to.events().length, 0) >= total, 30000, () => `${total} POSTs, saw ${hooks.reduce((sum, { to }) => sum + to.events().length, 0)}`);
    await allEnded(daemon, 5000);

    for (const hook of hooks) {
      const wanted = expected.get(hook.id);
      const arrived = hook.to.events().map((r) => r.eventKey);
      assert.equal(arrived.length, wanted.length, `${hook.id}: no duplicate, none missing`);
      assert.deepEqual([...arrived].sort(), [...wanted].sort());
      hook.to.assertSigned();
      assert.ok(hook.to.openMax <= 32, `${hook.to.openMax} in flight`);
      const start = new Map(hook.to.events().map((r) => [r.eventKey, r.micros]));
      const late = wanted.findIndex((x, n) => n > 0 && start.get(x) < start.get(wanted[n - 1]));
      assert.equal(late, -1, `${hook.id}: first attempts start in the order of acceptance`);
    }
    const accounted = await daemon.deliveries({}, 100);
    assert.equal(accounted.length, total, 'deliveries.list accounts for each');
    assert.equal(new Set(accounted.map((d) => d.id)).size, total);
    const pairs = new Set(accounted.map((d) => `${d.webhook} ${key(d.event)}`));
    for (const [id, list] of expected) for (const x of list) assert.ok(pairs.has(`${id} ${x}`), `${x} to ${id} is accounted for`);
    assert.deepEqual(accounted.filter((d) => d.state !== 'delivered' || d.attempt_count !== 1), [], 'each delivered at its first attempt');
  });
});

describe('kill -9 in the middle of load', () => {
  inWorld('nothing acknowledged is lost, and only attempts that overlapped a kill are made twice', { clock: 'real' }, async ({ daemon, t }) => {
    const KILLS = 5;
    const hooks = await subscribe(t, daemon, 6, (n) => [TYPES[n % 3], TYPES[(n + 1) % 3]]);
    const acknowledged = [];
    const kills = [];
    let up = gate();
    up.open();
    let over = false;
    let refused = 0;

    // Publishers go on through everything; an answer that does not come is not an acknowledgement.
    const publisher = async (who) => {
      for (let batch = 0; !over; batch++) {
        await up.promise;
        const list = Array.from({ length: 10 }, (_, n) => event(TYPES[(batch + n) % 3], { who, batch, n }));
        try {
          const res = await daemon.call('events.publish', { events: list });
          if (res.status === 202) acknowledged.push(...res.body.events);
          else assert.equal(res.status, 503, `a publish is answered 202 or 503: ${res.status} ${res.text}`);
        } catch (error) {
          if (!error.code) throw error;
          refused++;
        }
      }
    };
    const publishers = Promise.all([1, 2, 3].map(publisher));
    try {
      for (let n = 0; n < KILLS; n++) {
        const enough = acknowledged.length + 300;
        await until(() => acknowledged.length >= enough, 10000, 'acknowledgements to go on');
        up = gate();
        kills.push({ before: Date.now() });
        await daemon.kill();
        kills[n].after = Date.now() + 1;
        await daemon.start();
        up.open();
      }
      const enough = acknowledged.length + 100;
      await until(() => acknowledged.length >= enough, 10000, 'acknowledgements after the last kill');
    } finally {
      over = true;
      up.open();
      await publishers;
    }
    const stored = new Set((await daemon.events()).map((e) => e.id));
    assert.deepEqual(acknowledged.filter((e) => !stored.has(e.id)), [], 'every acknowledged event is stored');
    await allEnded(daemon, 20000);

    const delivered = new Set((await daemon.deliveries({ state: 'delivered' })).map((d) => `${d.webhook} ${key(d.event)}`));
    let duplicates = 0;
    for (const hook of hooks) {
      const arrived = hook.to.byEvent();
      for (const e of acknowledged.filter((x) => hook.types.includes(x.type))) {
        assert.ok(arrived.has(key(e.id)), `${e.id} reached ${hook.id}`);
        assert.ok(delivered.has(`${hook.id} ${key(e.id)}`), `${e.id} to ${hook.id} is recorded as delivered`);
      }
      for (const [x, requests] of arrived) {
        assert.ok(requests.length <= 1 + KILLS);
        for (let n = 1; n < requests.length; n++) {
          duplicates++;
          // Judged by when the attempts began: the first before a kill that came while it, or its commit, was under way.
          const [first, second] = [requests[n - 1].micros / 1000, requests[n].micros / 1000];
          const overlapped = kills.some((k) => first <= k.after && k.before - first < 3500 && second >= k.before);
          assert.ok(overlapped, `${x} was sent twice to ${hook.id} (at ${first} and ${second}) without a kill in between: ${JSON.stringify(kills)}`);
        }
      }
      hook.to.assertSigned();
    }
    assert.ok(acknowledged.length >= KILLS * 300, `${acknowledged.length} acknowledged, ${refused} cut off, ${duplicates} sent twice`);
  });

  inWorld('killed with a backlog: what waits is sent after the restart, what was delivered is not', { clock: 'real' }, async ({ daemon, t }) => {
    const [hook] = await subscribe(t, daemon, 1, () => ['work_created']);
    hook.to.onEvent = { hold: true };
    const published = [];
    for (let n = 0; n < 20; n++) published.push(...(await daemon.publishAll(Array.from({ length: 100 }, () => event()))));
    await hook.to.waitHeld(32);
    hook.to.release(10);
    await until(async () => (await daemon.deliveries({ state: 'delivered' })).length === 10, 2500, '10 delivered');
    await daemon.kill();
    const before = hook.to.byEvent();
    hook.to.held = [];
    hook.to.heal();
    await daemon.start();
    await until(() => hook.to.byEvent().size === 2000, 10000, () => `2,000 events, saw ${hook.to.byEvent().size}`);
    await allEnded(daemon, 5000);
    const all = await daemon.deliveries();
    assert.deepEqual([all.length, all.filter((d) => d.state === 'delivered').length], [2000, 2000]);
    const twice = [...hook.to.byEvent()].filter(([, requests]) => requests.length > 1);
    assert.ok(twice.length <= 32, `at most what was in flight is sent twice, saw ${twice.length}`);
    for (const [x] of twice) assert.ok(before.has(x));
    assert.equal(published.length, 2000);
  });
});
