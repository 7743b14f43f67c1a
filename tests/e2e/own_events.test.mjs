// webhook_created, webhook_updated and webhook_deleted: the events that the service itself makes when a client
// changes a webhook, for everybody who subscribed to them but the webhook that they are about.
import assert from 'node:assert/strict';
import { EVENT_ID, event, sample } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';

const ABOUT = ['webhook_created', 'webhook_updated', 'webhook_deleted'];

/** The webhook object as an event shows it: without what may be a credential, and without what is ours alone. */
function asTold(webhook) {
  const { health, headers, signature, ...told } = webhook;
  assert.ok(health, 'the API shows health');
  return { ...told, secret: '' };
}

/** A watcher: an active webhook that hears of webhooks. What came before it was asked for is forgotten. */
async function watcher(daemon, receiver, path = '/watch', types = ABOUT) {
  const to = receiver.endpoint(path);
  const webhook = await daemon.activeWebhook(to, { event_types: types });
  await daemon.settle();
  to.clear();
  return { ...webhook, to };
}

const types = (endpoint) => endpoint.events().map((r) => r.type);

inWorld('a creation is told with the webhook as it was answered, but for secret, headers and health', async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver);
  const made = await daemon.createWebhook({
    url: to.url,
    event_types: ['work_created', 'webhook_created'],
    secret: 'not-for-others-1',
    headers: [{ name: 'x-api-key', value: 'not-for-others-2' }],
    signature: { encoding: 'base64' },
  });
  await daemon.settle();
  assert.deepEqual(types(watch.to), ['webhook_created']);
  const [told] = watch.to.events();
  watch.to.assertSigned();
  assert.deepEqual(Object.keys(told.body), ['id', 'webhook_id', 'timestamp', 'type', 'webhook_created']);
  assert.equal(told.body.webhook_id, watch.id);
  assert.deepEqual(Object.keys(told.body.webhook_created), ['webhook']);
  assert.deepEqual(told.body.webhook_created.webhook, asTold(made));
  assert.deepEqual(
    Object.keys(told.body.webhook_created.webhook),
    ['created_by', 'created_date', 'display_id', 'id', 'modified_by', 'modified_date', 'event_types', 'secret', 'status', 'url'],
    "DevRev's order",
  );
  assert.equal(told.body.webhook_created.webhook.status, 'unverified');
  assert.ok(!told.text.includes('not-for-others'), told.text);
  assert.equal(JSON.stringify(JSON.parse(told.text)), told.text, 'canonical');
  assert.equal(to.events().length, 0, 'it is not told of itself');
});

inWorld('a change is told when modified_date moves, and only then', async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver);
  const webhook = await daemon.activeWebhook(to);
  await daemon.settle();
  watch.to.clear();
  const changes = [
    [{ event_types: { add: ['tag_created'] } }, true],
    [{ event_types: { add: ['tag_created'] } }, false],
    [{ headers: { set: [{ name: 'authorization', value: 'not-for-others' }] } }, true],
    [{ headers: { remove: ['x-unknown'] } }, false],
    [{}, false],
    [{ action: 'activate' }, false],
    [{ action: 'deactivate' }, true],
    [{ action: 'deactivate' }, false],
    [{ action: 'activate' }, true],
    [{ secret: 'not-for-others-3' }, true],
    [{ url: to.url }, true],
    [{ event_types: { set: [] }, action: 'deactivate' }, true],
  ];
  let before = webhook;
  for (const [change, told] of changes) {
    await daemon.advance(1000);
    const after = await daemon.update(webhook.id, change);
    await daemon.settle();
    const events = watch.to.events();
    assert.equal(after.modified_date !== before.modified_date, told, `modified_date moves: ${JSON.stringify(change)}`);
    assert.deepEqual(types(watch.to), told ? ['webhook_updated'] : [], JSON.stringify(change));
    if (told) {
      assert.deepEqual(events[0].body.webhook_updated, { webhook: asTold(after) }, JSON.stringify(change));
      assert.ok(!events[0].text.includes('not-for-others'));
    }
    watch.to.clear();
    before = after;
  }
});

inWorld('a refused change and a change of state that no client asked for are not told', async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver);
  const webhook = await daemon.activeWebhook(to); // becomes active: the receiver did that
  await daemon.settle();
  assert.deepEqual(types(watch.to), ['webhook_created']);
  watch.to.clear();
  assert.equal((await daemon.call('webhooks.update', { id: webhook.id, secret: 'short' })).status, 400);
  assert.equal((await daemon.call('webhooks.create', { url: 'ftp://x/' })).status, 400);
  to.breakAll();
  await daemon.publishAll(Array.from({ length: 5 }, (_, n) => event('work_created', { n })));
  await daemon.advance(4 * 60 * 1000);
  assert.equal((await daemon.webhook(webhook.id)).health.state, 'degraded');
  assert.deepEqual(types(watch.to), []);
});

inWorld('a deletion is told with the id alone; its own subscription gets nothing', async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver);
  const webhook = await daemon.activeWebhook(to, { event_types: ABOUT });
  await daemon.settle();
  watch.to.clear();
  await daemon.remove(webhook.id);
  await daemon.settle();
  const [told] = watch.to.events();
  assert.deepEqual(types(watch.to), ['webhook_deleted']);
  assert.deepEqual(told.body.webhook_deleted, { id: webhook.id });
  assert.equal(to.events().length, 0);
  assert.equal((await daemon.call('webhooks.delete', { id: webhook.id })).status, 404);
  await daemon.settle();
  assert.equal(watch.to.events().length, 1, 'a deletion that finds nothing tells nothing');
});

inWorld('two watchers hear of each other and not of themselves', async ({ daemon, receiver }) => {
  const one = await watcher(daemon, receiver, '/one');
  const two = await watcher(daemon, receiver, '/two');
  one.to.clear();
  await daemon.update(one.id, { event_types: { add: ['tag_created'] } });
  await daemon.update(two.id, { event_types: { add: ['tag_created'] } });
  await daemon.settle();
  await daemon.remove(one.id);
  await daemon.settle();
  assert.deepEqual(one.to.events().map((r) => [r.type, r.body[r.type].webhook?.id]), [['webhook_updated', two.id]]);
  assert.deepEqual(two.to.events().map((r) => [r.type, r.body[r.type].webhook?.id ?? r.body[r.type].id]), [
    ['webhook_updated', one.id],
    ['webhook_deleted', one.id],
  ]);
});

inWorld('they are events like any other: listed, accepted by the catalogue, retried, redelivered', async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver);
  watch.to.break();
  const webhook = await daemon.createWebhook({ url: to.url, event_types: [] });
  await daemon.remove(webhook.id);
  await daemon.settle();
  const [deleted, created] = await daemon.events();
  for (const [e, type] of [[created, 'webhook_created'], [deleted, 'webhook_deleted']]) {
    assert.match(e.id, EVENT_ID);
    assert.equal(e.type, type);
    assert.equal(e.deliveries, 1);
    assert.deepEqual((await daemon.ok('events.get', { id: e.id })).event.id, e.id);
    const again = watch.to.of(e)[0].body;
    await daemon.publish({ type, [type]: again[type] }); // what was sent is a payload that publish accepts
    assert.deepEqual(Object.keys(again[type]), Object.keys(sample(type)[type]));
  }
  const delivery = await daemon.deliveryOf(created, watch);
  assert.deepEqual([delivery.state, delivery.attempt_count], ['pending', 1]);
  watch.to.heal();
  await daemon.advance(30000);
  assert.equal((await daemon.deliveryOf(created, watch)).state, 'delivered');
  assert.equal(watch.to.of(created).length, 2);
  const metrics = (await daemon.call('metrics', undefined, { method: 'GET' })).text;
  assert.match(metrics, /^revhook_events_accepted_total 4$/m);
  assert.match(metrics, /^revhook_deliveries_created_total 4$/m);
});

inWorld('without another subscriber no event is made; a degraded one gets its failed delivery', async ({ daemon, receiver, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: [...ABOUT, 'work_created'] });
  await daemon.update(webhook.id, { event_types: { add: ['tag_created'] } });
  const idle = await daemon.createWebhook({ url: receiver.endpoint('/idle').url, event_types: ABOUT });
  await daemon.update(idle.id, { action: 'deactivate' });
  await daemon.settle();
  assert.deepEqual((await daemon.events()).map((e) => e.type), ['webhook_updated', 'webhook_created'], 'about the idle one alone');
  const count = (await daemon.events()).length;
  await daemon.update(webhook.id, { event_types: { remove: ['tag_created'] } });
  await daemon.settle();
  assert.equal((await daemon.events()).length, count, 'the only other subscriber is inactive');
  to.breakAll();
  await daemon.publishAll(Array.from({ length: 5 }, (_, n) => event('work_created', { n })));
  await daemon.advance(4 * 60 * 1000);
  assert.equal((await daemon.webhook(webhook.id)).health.state, 'degraded');
  await daemon.remove(idle.id);
  const [deleted] = await daemon.events({ type: 'webhook_deleted' });
  const delivery = await daemon.deliveryOf(deleted, webhook);
  assert.deepEqual([delivery.state, delivery.reason, delivery.attempt_count], ['failed', 'webhook_degraded', 0]);
});

inWorld('what was told of is durable with the change: kill and start again', async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver);
  watch.to.break();
  const webhook = await daemon.createWebhook({ url: to.url, event_types: [] });
  await daemon.update(webhook.id, { event_types: { set: ['work_created'] } });
  await daemon.remove(webhook.id);
  await daemon.restart({ kill: true });
  watch.to.heal();
  watch.to.clear();
  await daemon.advance(30000);
  assert.deepEqual(types(watch.to).sort(), [...ABOUT].sort());
});

inWorld('status says degraded in an event where it does in the API', { set: { degraded_status_visible: 'true' } }, async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver);
  const webhook = await daemon.activeWebhook(to);
  to.breakAll();
  await daemon.publishAll(Array.from({ length: 5 }, (_, n) => event('work_created', { n })));
  await daemon.advance(4 * 60 * 1000);
  watch.to.clear();
  const after = await daemon.update(webhook.id, { event_types: { add: ['tag_created'] } });
  await daemon.settle();
  assert.equal(after.status, 'degraded');
  assert.deepEqual(watch.to.events()[0].body.webhook_updated.webhook, asTold(after));
});

inWorld('beyond backlog_max a change goes through and nobody is told', { set: { backlog_max: '1000', batch_deliveries_max: '1000' } }, async ({ daemon, receiver, to }) => {
  const watch = await watcher(daemon, receiver, '/watch', [...ABOUT, 'work_created']);
  watch.to.break();
  await daemon.publishAll(Array.from({ length: 1000 }, (_, n) => event('work_created', { n })));
  await daemon.createWebhook({ url: to.url, event_types: [] });
  assert.equal((await daemon.events({ type: 'webhook_created' })).length, 0);
  assert.match(daemon.stderr, /event_left_out/);
});
