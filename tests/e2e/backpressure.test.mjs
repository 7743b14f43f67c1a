// A receiver that does not answer, and publishers that go on: the backlog stays inside its limits in memory and in the store,
// publishers are told when to come again, and when the receiver answers everything that was acknowledged arrives.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertError } from './lib/errors.mjs';
import { event } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';
import { until } from './lib/wait.mjs';

const BACKLOG = 1000;
const BATCH = 50;

// What is held stays in flight however slow the machine is: nothing is attempted twice, so each event must arrive once.
const full = {
  clock: 'real',
  set: { backlog_max: BACKLOG, batch_deliveries_max: BACKLOG, queue_window: 64, queue_memory_max: 64, senders: 1, attempt_timeout_ms: 60000 },
};

const key = (id) => id.split(':event/')[1];

/** The value of a metric. */
async function metric(daemon, name) {
  const { text } = await daemon.get('metrics');
  return Number(new RegExp(`^revhook_${name} (\\d+)$`, 'm').exec(text)[1]);
}

/**
 * Publishes `batches` batches, each again and again until it is taken, as Retry-After asks for. Adds the events that were
 * acknowledged to `acknowledged`, and counts in `tally` what was refused.
 */
async function publisher(daemon, name, batches, acknowledged, tally) {
  for (let batch = 0; batch < batches; batch++) {
    const events = Array.from({ length: BATCH }, (_, n) => event('work_created', { publisher: name, batch, n }));
    for (;;) {
      const answer = await daemon.call('events.publish', { events });
      if (answer.status === 202) {
        acknowledged.push(...answer.body.events);
        break;
      }
      assertError(answer, 503, 'service_unavailable');
      tally.refused++;
      await sleep(Number(answer.headers['retry-after']) * 1000);
    }
  }
}

inWorld('a full backlog is 503 with Retry-After; publishers that come again lose nothing and double nothing', full, async ({ daemon, to }) => {
  await daemon.activeWebhook(to, { event_types: ['work_created'] });
  to.onEvent = { hold: true };
  const acknowledged = [];
  const tally = { refused: 0 };
  const publishers = Promise.all([0, 1, 2, 3].map((name) => publisher(daemon, name, 10, acknowledged, tally)));
  publishers.catch(() => {}); // told below
  await to.waitHeld(32);
  await until(() => tally.refused >= 4, 20000, () => `each publisher to be refused, saw ${tally.refused}`);

  assert.equal(acknowledged.length, BACKLOG, 'all that fits is taken, and no more');
  assert.equal(await metric(daemon, 'deliveries_open'), BACKLOG);
  assert.equal(await metric(daemon, 'events_accepted_total'), BACKLOG, 'what was refused is not there');
  await until(async () => (await metric(daemon, 'deliveries_in_memory')) <= 32 + 64, 5000, 'the rest of the backlog to wait in the store');
  const pending = await daemon.deliveries({ state: 'pending' });
  assert.equal(pending.length, BACKLOG - 32, 'what is not in memory is there all the same');

  to.heal();
  to.release();
  await publishers;
  assert.equal(acknowledged.length, 4 * 10 * BATCH);
  await until(() => to.byEvent().size === acknowledged.length, 20000, () => `${acknowledged.length} events, saw ${to.byEvent().size}`);
  await until(async () => (await metric(daemon, 'deliveries_open')) === 0, 10000, 'no open delivery');
  const arrived = to.byEvent();
  assert.deepEqual([...arrived.keys()].sort(), acknowledged.map((e) => key(e.id)).sort(), 'what arrived is what was acknowledged');
  for (const [id, requests] of arrived) assert.equal(requests.length, 1, `${id} came once`);
  const sent = new Set(to.events().map(({ body }) => `${body.work_created.publisher} ${body.work_created.batch} ${body.work_created.n}`));
  assert.equal(sent.size, acknowledged.length, 'each event of each batch, once');
  assert.equal(await metric(daemon, 'deliveries_delivered_total'), acknowledged.length);
  to.assertSigned();
});

inWorld('a full backlog is full after a kill, too, and is worked off', full, async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: ['work_created'] });
  to.onEvent = { hold: true };
  const acknowledged = [];
  await publisher(daemon, 'one', BACKLOG / BATCH, acknowledged, { refused: 0 });
  await to.waitHeld(32);
  await daemon.kill();
  to.held = [];
  await daemon.start();
  await to.waitHeld(32); // those that were in flight, again
  assertError(await daemon.call('events.publish', event('work_created')), 503, 'service_unavailable');
  assert.equal(await metric(daemon, 'deliveries_open'), BACKLOG);

  to.heal();
  to.release();
  await until(() => to.byEvent().size === BACKLOG, 20000, () => `${BACKLOG} events, saw ${to.byEvent().size}`);
  await until(async () => (await metric(daemon, 'deliveries_open')) === 0, 10000, 'no open delivery');
  assert.deepEqual([...to.byEvent().keys()].sort(), acknowledged.map((e) => key(e.id)).sort());
  assert.equal((await daemon.deliveries({ webhook: webhook.id, state: 'delivered' })).length, BACKLOG);
  const twice = [...to.byEvent().values()].filter((requests) => requests.length > 1);
  assert.ok(twice.length <= 32, `only what was in flight is sent twice, saw ${twice.length}`);
  await daemon.publish(event('work_created', { after: true }));
  await to.waitEvents(BACKLOG + twice.length + 1);
});
