// webhooks.fetch: the last published version of an object comes to the named webhook, and to nobody else, as an event
// work_fetched or sla_tracker_fetched.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startDaemon } from './lib/daemon.mjs';
import { assertError, REASON } from './lib/errors.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { DAY, sample, UNKNOWN_WEBHOOK, WIRE_EVENT_ID } from './lib/shapes.mjs';
import { inWorld, proves, tearDown } from './lib/suite.mjs';

const ISSUE = 'don:core:dvrv-us-1:devo/dev0:issue/12345';
const TRACKER = 'don:core:dvrv-us-1:devo/dev0:sla_tracker/7';

const work = (fields = {}) => ({ type: 'issue', display_id: 'ISS-12345', id: ISSUE, owned_by: [], title: 'one', ...fields });
const tracker = (fields = {}) => ({ id: TRACKER, display_id: 'SLA-7', metric_target_summaries: [], ...fields });

const told = (type, object) => {
  const [, noun, verb] = /^(work|sla_tracker)_(\w+)$/.exec(type);
  return { type, [type]: verb === 'deleted' ? { id: object } : { [noun]: object } };
};

/** Ask, and give the one event that comes of it: its type and payload. */
async function fetched(daemon, webhook, to, object, call = 'webhooks.fetch') {
  await daemon.settle();
  to.clear();
  const res = await daemon.call(call, { id: webhook.id, object });
  assert.deepEqual([res.status, res.text], [200, '{}'], `${object}: ${res.status} ${res.text}`);
  await daemon.settle();
  assert.equal(to.events().length, 1, `one event, saw ${to.events().map((r) => r.text)}`);
  const [{ body }] = to.events();
  to.assertSigned(webhook.secret);
  assert.deepEqual(Object.keys(body), ['id', 'webhook_id', 'timestamp', 'type', body.type]);
  assert.match(body.id, WIRE_EVENT_ID);
  assert.equal(body.webhook_id, webhook.id);
  return [body.type, body[body.type]];
}

const ok = (object, version) => ['work_fetched', { id: object, result: 'ok', work: version }];
const none = (object) => ['work_fetched', { id: object, result: 'not_found' }];

inWorld('the last version comes under its id and its display id, until it is deleted', async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: [] });
  const ask = (object) => fetched(daemon, webhook, to, object);
  assert.deepEqual(await ask(ISSUE), none(ISSUE));
  await daemon.publish(told('work_created', work()));
  assert.deepEqual(await ask(ISSUE), ok(ISSUE, work()));
  assert.deepEqual(await ask('ISS-12345'), ok('ISS-12345', work()));
  assert.deepEqual(Object.keys((await ask('ISS-12345'))[1]), ['id', 'result', 'work'], 'their order');
  const changed = work({ title: 'zwei ✓ "x"', priority: 0.1, custom_fields: { deep: [1, null, { a: '\u0001' }] } });
  await daemon.publish({ type: 'work_updated', work_updated: { work: changed, old_work: work() } });
  assert.deepEqual(await ask('ISS-12345'), ok('ISS-12345', changed));
  assert.equal(JSON.stringify(JSON.parse(to.events()[0].text)), to.events()[0].text, 'canonical');
  await daemon.publish(told('work_updated', work({ display_id: undefined, title: 'three' })));
  for (const object of [ISSUE, 'ISS-12345']) {
    assert.deepEqual(await ask(object), ok(object, { type: 'issue', id: ISSUE, owned_by: [], title: 'three' }), 'the display id of before');
  }
  await daemon.publish(told('work_updated', work({ display_id: 'ISS-99' })));
  assert.deepEqual(await ask('ISS-99'), ok('ISS-99', work({ display_id: 'ISS-99' })));
  assert.deepEqual(await ask('ISS-12345'), none('ISS-12345'), 'it is called ISS-99 now');
  await daemon.publish(told('work_deleted', ISSUE));
  for (const object of [ISSUE, 'ISS-99', 'ISS-12345']) assert.deepEqual(await ask(object), none(object), 'deleted');
  await daemon.publish(told('work_created', work({ title: 'again' })));
  assert.deepEqual(await ask('ISS-12345'), ok('ISS-12345', work({ title: 'again' })));
  await daemon.publish(told('work_deleted', 'ISS-12345'));
  assert.deepEqual(await ask(ISSUE), none(ISSUE), 'deleted by its display id');
});

inWorld('SLA trackers come as sla_tracker_fetched; what is unknown goes by the form of its id', async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: [] });
  const ask = (object) => fetched(daemon, webhook, to, object);
  assert.deepEqual(await ask(TRACKER), ['sla_tracker_fetched', { id: TRACKER, result: 'not_found' }]);
  assert.deepEqual(await ask('SLA-7'), none('SLA-7'));
  await daemon.publish(told('sla_tracker_created', tracker()));
  await daemon.publish(told('work_created', work({ id: `${TRACKER}0`, display_id: 'ISS-70' })));
  for (const object of [TRACKER, 'SLA-7']) {
    assert.deepEqual(await ask(object), ['sla_tracker_fetched', { id: object, result: 'ok', sla_tracker: tracker() }]);
  }
  assert.deepEqual((await ask(`${TRACKER}0`))[0], 'work_fetched', 'what is stored decides');
  await daemon.publish(told('sla_tracker_updated', tracker({ stage: 'breached' })));
  assert.deepEqual((await ask('SLA-7'))[1].sla_tracker, tracker({ stage: 'breached' }));
  await daemon.publish(told('sla_tracker_deleted', TRACKER));
  assert.deepEqual(await ask(TRACKER), ['sla_tracker_fetched', { id: TRACKER, result: 'not_found' }]);
});

inWorld('names that need escapes, other types, and objects of the same batch', async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: [] });
  const ask = (object) => fetched(daemon, webhook, to, object);
  const odd = 'a"b\\c/\n\u007f é ✓ 😀';
  const part = sample('part_created');
  await daemon.publishAll([
    told('work_created', work({ id: odd, display_id: undefined, title: 'odd' })),
    told('work_created', work({ title: 'first' })),
    told('work_updated', work({ title: 'second' })),
    told('work_created', work({ id: 'gone', display_id: 'GONE' })),
    told('work_deleted', 'gone'),
    part,
  ]);
  assert.equal((await ask(odd))[1].work.title, 'odd');
  assert.equal((await ask(odd))[1].id, odd);
  assert.equal((await ask('ISS-12345'))[1].work.title, 'second');
  assert.deepEqual(await ask('GONE'), none('GONE'));
  assert.deepEqual(await ask(part.part_created.part.id), none(part.part_created.part.id), 'only works and SLA trackers are kept');
  assert.deepEqual(await ask('iss-12345'), none('iss-12345'), 'names are compared as they are');
  assert.deepEqual(await ask('x'.repeat(256)), none('x'.repeat(256)));
});

inWorld('it goes to the named webhook alone, subscribed or not; it is an event like any other', async ({ daemon, receiver, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: [] });
  const others = receiver.endpoint('/others');
  const other = await daemon.activeWebhook(others, { event_types: ['work_fetched', 'sla_tracker_fetched'] });
  await daemon.publish(told('work_created', work()));
  await daemon.settle();
  to.break();
  await fetched(daemon, webhook, to, 'ISS-12345');
  assert.equal(others.events().length, 0);
  const [event] = await daemon.events({ type: 'work_fetched' });
  assert.equal(event.deliveries, 1);
  assert.deepEqual((await daemon.deliveries({ event: event.id })).map((d) => [d.webhook, d.state]), [[webhook.id, 'pending']]);
  await daemon.publish(told('work_updated', work({ title: 'later' })));
  to.heal();
  await daemon.advance(30000);
  assert.equal(to.events().length, 2);
  assert.equal(to.events()[1].body.work_fetched.work.title, 'one', 'the answer of then, on every attempt');
  assert.equal((await daemon.deliveryOf(event, webhook)).state, 'delivered');
  await fetched(daemon, other, others, 'ISS-12345', 'internal/webhooks.fetch');
  assert.equal(to.events().length, 2);
});

inWorld('what is kept survives a kill, and the retention of its event', async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: [] });
  await daemon.publish(told('work_created', work()));
  await daemon.publish(told('sla_tracker_created', tracker()));
  await daemon.publish(told('work_created', work({ id: 'gone', display_id: 'GONE' })));
  await daemon.publish(told('work_deleted', 'gone'));
  await daemon.restart({ kill: true });
  assert.deepEqual(await fetched(daemon, webhook, to, 'ISS-12345'), ok('ISS-12345', work()));
  await daemon.advance(31 * DAY);
  await daemon.advance(DAY);
  assert.deepEqual(await daemon.events(), [], 'the events are gone');
  assert.deepEqual(await fetched(daemon, webhook, to, 'ISS-12345'), ok('ISS-12345', work()));
  assert.deepEqual((await fetched(daemon, webhook, to, TRACKER))[1].sla_tracker, tracker());
  assert.deepEqual(await fetched(daemon, webhook, to, 'GONE'), none('GONE'));
  await daemon.restart();
  await daemon.publish(told('work_updated', work({ title: 'after it' })));
  assert.deepEqual(await fetched(daemon, webhook, to, ISSUE), ok(ISSUE, work({ title: 'after it' })));
});

inWorld('payloads that are let in unchecked are kept where they name an object', { set: { lenient_payloads: 'true' } }, async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: [] });
  for (const payload of [{}, { work: null }, { work: [] }, { work: { id: 7 } }, { work: { display_id: 'ISS-1' } }]) {
    await daemon.publish({ type: 'work_created', work_created: payload });
  }
  await daemon.publish({ type: 'work_deleted', work_deleted: { id: null } });
  await daemon.publish({ type: 'work_created', work_created: { work: { id: 'ISS-2', display_id: 5 } } });
  assert.deepEqual(await fetched(daemon, webhook, to, 'ISS-1'), none('ISS-1'));
  assert.deepEqual(await fetched(daemon, webhook, to, 'ISS-2'), ok('ISS-2', { id: 'ISS-2', display_id: 5 }));
});

inWorld('beyond backlog_max: 503, and nothing comes of it', { set: { backlog_max: '1000', batch_deliveries_max: '1000' } }, async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to, { event_types: ['work_created'] });
  to.break();
  await daemon.publishAll(Array.from({ length: 1000 }, () => told('work_created', work())));
  await daemon.settle();
  assertError(await daemon.call('webhooks.fetch', { id: webhook.id, object: 'ISS-12345' }), 503, 'service_unavailable');
  assert.deepEqual(await daemon.events({ type: 'work_fetched' }), []);
});

describe('what is refused', () => {
  let daemon;
  let receiver;
  let webhook;
  let idle;
  before(async () => {
    receiver = await startReceiver();
    daemon = await startDaemon();
    webhook = await daemon.activeWebhook(receiver.endpoint('/hook'), { event_types: [] });
    idle = await daemon.createWebhook({ url: receiver.endpoint('/idle').url });
    await daemon.update(idle.id, { action: 'deactivate' });
  });
  after(() => tearDown(daemon, receiver));

  const good = () => ({ id: webhook.id, object: 'ISS-1' });
  const rows = [
    ['no fields', () => ({}), 400, 'missing_required_field', { field_name: 'id' }],
    ['no object', () => ({ id: webhook.id }), 400, 'missing_required_field', { field_name: 'object' }],
    ['no id', () => ({ object: 'ISS-1' }), 400, 'missing_required_field', { field_name: 'id' }],
    ['a number for object', () => ({ ...good(), object: 5 }), 400, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'object' }],
    ['null for object', () => ({ ...good(), object: null }), 400, 'unexpected_json_type', { actual: 'null', expected: 'string', field_name: 'object' }],
    ['an object for object', () => ({ ...good(), object: {} }), 400, 'unexpected_json_type', { actual: 'object', expected: 'string', field_name: 'object' }],
    ['an unknown field', () => ({ ...good(), type: 'work' }), 400, 'invalid_field', { field_name: 'type' }],
    ['an empty object', () => ({ ...good(), object: '' }), 400, 'value_not_permitted', { field_name: 'object', reason: REASON }],
    ['an object of 257 bytes', () => ({ ...good(), object: 'x'.repeat(257) }), 400, 'value_not_permitted', { field_name: 'object', reason: REASON }],
    ['an object of 129 characters of two bytes', () => ({ ...good(), object: 'é'.repeat(129) }), 400, 'value_not_permitted', { field_name: 'object', reason: REASON }],
    ['an id that is none', () => ({ ...good(), id: 'x' }), 400, 'invalid_id', { field_name: 'id' }],
    ['the id of something else', () => ({ ...good(), id: ISSUE }), 400, 'unexpected_id_type', { field_name: 'id', value: ISSUE, allowed_types: ['webhook'] }],
    ['an unknown webhook', () => ({ ...good(), id: UNKNOWN_WEBHOOK }), 404, 'not_found', {}],
    ['a webhook that is not active', () => ({ ...good(), id: idle.id }), 400, 'bad_request', {}],
  ];
  for (const [what, body, status, type, fields] of rows) {
    proves(`${what}: ${status} ${type}`, async () => {
      assertError(await daemon.call('webhooks.fetch', body()), status, type, fields);
      assertError(await daemon.call('internal/webhooks.fetch', body()), status, type, fields);
    });
  }

  proves('not active: the detail says what it is', async () => {
    const states = [[idle, 'inactive']];
    const shy = receiver.endpoint('/shy');
    shy.breakAll();
    states.push([await daemon.createWebhook({ url: shy.url }), 'unverified']);
    for (const [which, state] of states) {
      const res = await daemon.call('webhooks.fetch', { ...good(), id: which.id });
      assertError(res, 400, 'bad_request');
      assert.match(res.body.detail, new RegExp(state));
    }
  });

  proves('a deleted webhook: 404; GET: 405; no token: 401; nothing was made of any of them', async () => {
    const deleted = await daemon.createWebhook({ url: receiver.endpoint('/deleted').url });
    await daemon.remove(deleted.id);
    assertError(await daemon.call('webhooks.fetch', { ...good(), id: deleted.id }), 404, 'not_found');
    const got = await daemon.get(`webhooks.fetch?id=${encodeURIComponent(webhook.id)}&object=ISS-1`);
    assert.deepEqual([got.status, got.headers.allow], [405, 'POST']);
    assertError(await daemon.call('webhooks.fetch', good(), { token: null }), 401, 'unauthenticated');
    await daemon.settle();
    assert.deepEqual(await daemon.events(), []);
  });
});
