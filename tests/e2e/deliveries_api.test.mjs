// Looking at what was accepted and what became of it: events.get and list, deliveries.get and list.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startDaemon } from './lib/daemon.mjs';
import { assertError, REASON } from './lib/errors.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { DELIVERY_ID, event, EVENT_ID, events, RFC3339, UNKNOWN_WEBHOOK } from './lib/shapes.mjs';
import { proves, tearDown } from './lib/suite.mjs';

const STATES = ['pending', 'in_flight', 'held', 'delivered', 'failed', 'dropped'];

let daemon;
let receiver;
let good;
let bad;
let off;
let published;

// One world for the whole file: `good` acknowledges, `bad` does not, `off` is switched off with one delivery in its queue.
before(async () => {
  receiver = await startReceiver();
  daemon = await startDaemon();
  const make = async (path) => {
    const to = receiver.endpoint(path);
    const webhook = await daemon.activeWebhook(to, { event_types: ['work_created', 'tag_created'] });
    return { ...webhook, to };
  };
  good = await make('/good');
  bad = await make('/bad');
  off = await make('/off');
  bad.to.break({ status: 418, body: 'teapot' });
  off.to.break();
  published = await daemon.publishAll([event('work_created', { n: 0 })]);
  await daemon.settle();
  await daemon.update(off.id, { action: 'deactivate' });
  for (let n = 1; n <= 6; n++) {
    await daemon.advance(1000);
    published.push(...(await daemon.publishAll([event(n % 2 ? 'tag_created' : 'work_created', { n })])));
    await daemon.settle();
  }
});

after(() => tearDown(daemon, receiver));

/** The id of an event as it is on the wire to a webhook. */
const wire = (webhook, e) => `${webhook.id}:event/${e.id.split(':event/')[1]}`;

describe('events.get', () => {
  proves('tells id, type, created_date and deliveries, by POST and GET, by both forms of the id', async () => {
    for (const e of published) {
      for (const id of [e.id, wire(good, e)]) {
        const byPost = await daemon.ok('events.get', { id });
        assert.deepEqual(Object.keys(byPost), ['event']);
        assert.equal(byPost.event.id, e.id, `asked for ${id}`);
        assert.match(byPost.event.id, EVENT_ID);
        assert.equal(byPost.event.type, e.type);
        assert.equal(byPost.event.created_date, e.created_date);
        assert.match(byPost.event.created_date, RFC3339);
        assert.equal(byPost.event.deliveries, e.deliveries);
        const byGet = await daemon.get(`events.get?id=${encodeURIComponent(id)}`);
        assert.deepEqual([byGet.status, byGet.body], [200, byPost]);
      }
    }
  });

  const ids = [
    [{}, 400, 'missing_required_field', { field_name: 'id' }],
    [{ id: 5 }, 400, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'id' }],
    [{ id: 'x' }, 400, 'invalid_id', { field_name: 'id' }],
    [{ id: '' }, 400, 'invalid_id', { field_name: 'id' }],
    [{ id: UNKNOWN_WEBHOOK }, 400, 'unexpected_id_type', { field_name: 'id', value: UNKNOWN_WEBHOOK, allowed_types: ['event'] }],
    [{ id: 'don:integration:dvrv-us-1:devo/dev0:event/zzzzzzzzzzz' }, 404, 'not_found', {}],
    [{ id: 'don:integration:dvrv-us-1:devo/other0:event/zzzzzzzzzzz' }, 404, 'not_found', {}],
    [{ id: `${UNKNOWN_WEBHOOK}:event/zzzzzzzzzzz` }, 404, 'not_found', {}],
    [{ id: `${UNKNOWN_WEBHOOK}:webhook_event/zzzzzzzzzzz` }, 404, 'not_found', {}],
    [{ id: 'don:integration:dvrv-us-1:devo/dev0:webhook_event/zz' }, 404, 'not_found', {}],
    [{ id: 'don:integration:dvrv-us-1:devo/dev0:event/zzzzzzzzzzz', limit: 1 }, 400, 'invalid_field', { field_name: 'limit' }],
  ];
  for (const [body, status, type, fields] of ids) {
    proves(`${JSON.stringify(body).slice(0, 80)}: ${status} ${type}`, async () => {
      assertError(await daemon.call('events.get', body), status, type, fields);
    });
  }
  proves('an id with one character changed is another id: 404', async () => {
    const { id } = published[3];
    for (let at = id.length - 11; at < id.length; at++) {
      const other = id.slice(0, at) + (id[at] === 'a' ? 'b' : 'a') + id.slice(at + 1);
      const res = await daemon.call('events.get', { id: other });
      assert.ok([404, 400].includes(res.status), `${other}: ${res.status} ${res.text}`);
    }
  });
});

describe('events.list', () => {
  proves('newest first, in pages by cursor, the same by POST and GET', async () => {
    const newestFirst = [...published].reverse().map((e) => e.id);
    for (const limit of [1, 2, 3, 7, 100]) {
      assert.deepEqual((await daemon.events({}, limit)).map((e) => e.id), newestFirst, `limit ${limit}`);
    }
    const page = await daemon.ok('events.list', { limit: 3 });
    assert.deepEqual(Object.keys(page).sort(), ['events', 'next_cursor']);
    assert.deepEqual((await daemon.get('events.list?limit=3')).body, page);
    const next = await daemon.get(`events.list?limit=3&cursor=${encodeURIComponent(page.next_cursor)}`);
    assert.deepEqual(next.body, await daemon.ok('events.list', { limit: 3, cursor: page.next_cursor }));
    assert.deepEqual(next.body.events.map((e) => e.id), newestFirst.slice(3, 6));
    assert.deepEqual((await daemon.ok('events.list', {})).events.map((e) => e.id), newestFirst, 'without a limit');
  });
});

describe('deliveries.list', () => {
  proves('tells of each delivery id, event, webhook, type, state, reason, attempt_count, next_attempt_at, created_date', async () => {
    const all = await daemon.deliveries();
    assert.equal(all.length, 3 + 6 * 2);
    for (const d of all) {
      assert.match(d.id, DELIVERY_ID);
      assert.ok(d.id.startsWith(`${d.webhook}:delivery/`));
      assert.ok(published.some((e) => e.id === d.event && e.type === d.type), JSON.stringify(d));
      assert.ok([good.id, bad.id, off.id].includes(d.webhook));
      assert.ok(STATES.includes(d.state));
      assert.ok(Number.isInteger(d.attempt_count));
      assert.match(d.created_date, RFC3339);
      const expected = { [good.id]: ['delivered', null, 1], [bad.id]: ['pending', null, 1], [off.id]: ['dropped', 'webhook_inactive', 1] }[d.webhook];
      assert.deepEqual([d.state, d.reason ?? null, d.attempt_count], expected, JSON.stringify(d));
      assert.equal(d.attempts, undefined, 'attempts are told by deliveries.get');
      if (d.webhook === bad.id) assert.equal(Date.parse(d.next_attempt_at) - Date.parse(d.created_date), 30000);
      else assert.equal(d.next_attempt_at ?? null, null);
    }
    assert.equal(new Set(all.map((d) => d.id)).size, all.length);
    const times = all.map((d) => Date.parse(d.created_date));
    assert.ok(times.every((t, n) => n === 0 || t <= times[n - 1]), 'newest first');
  });

  proves('filters by webhook, event and state, alone and together, by POST and GET', async () => {
    const all = await daemon.deliveries();
    const hook = { good: good.id, bad: bad.id, off: off.id };
    const filters = [{}];
    for (const webhook of Object.values(hook)) filters.push({ webhook });
    for (const e of [published[0], published[3]]) filters.push({ event: e.id }, { event: e.id, webhook: hook.bad }, { event: e.id, state: 'delivered' });
    for (const state of STATES) filters.push({ state }, { state, webhook: hook.bad }, { state, webhook: hook.off, event: published[0].id });
    for (const filter of filters) {
      const expected = all.filter((d) => Object.entries(filter).every(([key, value]) => d[key] === value));
      for (const limit of [2, 100]) {
        assert.deepEqual(await daemon.deliveries(filter, limit), expected, JSON.stringify(filter));
      }
      const query = new URLSearchParams({ ...filter, limit: 100 });
      assert.deepEqual((await daemon.get(`deliveries.list?${query}`)).body.deliveries, expected, `GET ${query}`);
    }
    assert.deepEqual(await daemon.deliveries({ event: wire(good, published[1]) }), await daemon.deliveries({ event: published[1].id }), 'both forms of an event id');
  });

  proves('a cursor neither repeats nor skips while newer deliveries come', async () => {
    const before = (await daemon.deliveries({ webhook: good.id })).map((d) => d.id);
    const first = await daemon.ok('deliveries.list', { webhook: good.id, limit: 3 });
    published.push(await daemon.publish(event()));
    await daemon.settle();
    const second = await daemon.ok('deliveries.list', { webhook: good.id, limit: 100, cursor: first.next_cursor });
    assert.deepEqual([...first.deliveries, ...second.deliveries].map((d) => d.id), before);
    assert.ok(second.next_cursor === null || second.next_cursor === undefined, 'no cursor after the last page');
  });

  proves('still tells of the deliveries of a deleted webhook', async () => {
    const to = receiver.endpoint('/gone');
    const gone = await daemon.activeWebhook(to, { event_types: ['tag_deleted'] });
    const e = await daemon.publish(event('tag_deleted'));
    published.push(e);
    await daemon.settle();
    await daemon.remove(gone.id);
    const [d] = await daemon.deliveries({ webhook: gone.id });
    assert.deepEqual([d.event, d.state], [e.id, 'delivered']);
    assert.equal((await daemon.delivery(d.id)).attempts.length, 1);
  });

  const cases = [
    [{ bogus: 1 }, 'invalid_field', { field_name: 'bogus' }],
    [{ webhook: 1 }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'webhook' }],
    [{ webhook: 'x' }, 'invalid_id', { field_name: 'webhook' }],
    [{ webhook: 'don:integration:dvrv-us-1:devo/dev0:event/zzzzzzzzzzz' }, 'unexpected_id_type', { field_name: 'webhook', value: /^/, allowed_types: ['webhook'] }],
    [{ event: 'x' }, 'invalid_id', { field_name: 'event' }],
    [{ event: UNKNOWN_WEBHOOK }, 'unexpected_id_type', { field_name: 'event', value: /^/, allowed_types: ['event'] }],
    [{ state: 1 }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'state' }],
    [{ state: 'broken' }, 'invalid_enum_value', { field_name: 'state', value: 'broken', allowed_values: (v) => [...v].sort().join() === [...STATES].sort().join() }],
  ];
  for (const [body, type, fields] of cases) {
    proves(`refuses ${JSON.stringify(body)}: ${type}`, async () => {
      assertError(await daemon.call('deliveries.list', body), 400, type, fields);
    });
  }

  for (const name of ['events.list', 'deliveries.list']) {
    const limits = [
      [{ limit: 0 }, 'value_not_permitted', { field_name: 'limit', reason: REASON }],
      [{ limit: -1 }, 'value_not_permitted', { field_name: 'limit', reason: REASON }],
      [{ limit: 1e9 }, 'value_not_permitted', { field_name: 'limit', reason: REASON }],
      [{ limit: 1.5 }, 'value_not_permitted', { field_name: 'limit', reason: REASON }],
      [{ limit: '3' }, 'unexpected_json_type', { actual: 'string', expected: 'number', field_name: 'limit' }],
      [{ limit: null }, 'unexpected_json_type', { actual: 'null', expected: 'number', field_name: 'limit' }],
      [{ cursor: 1 }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'cursor' }],
      [{ cursor: 'nonsense!' }, 'value_not_permitted', { field_name: 'cursor', reason: REASON }],
      [{ cursor: "' or 1=1 --" }, 'value_not_permitted', { field_name: 'cursor', reason: REASON }],
    ];
    for (const [body, type, fields] of limits) {
      proves(`${name} refuses ${JSON.stringify(body)}: ${type}`, async () => {
        assertError(await daemon.call(name, body), 400, type, fields);
      });
    }
    proves(`${name} by GET refuses a limit that is no number and an unknown field`, async () => {
      const res = await daemon.get(`${name}?limit=x`);
      assert.equal(res.status, 400, res.text);
      assert.equal(res.body.field_name, 'limit', res.text);
      assertError(await daemon.get(`${name}?limit=0`), 400, 'value_not_permitted', { field_name: 'limit', reason: REASON });
      assertError(await daemon.get(`${name}?bogus=1`), 400, 'invalid_field', { field_name: 'bogus' });
    });
  }
});

describe('deliveries.get', () => {
  proves('adds every attempt: n, started_at, duration_ms, http_status, reason, response_body; the same by GET', async () => {
    const listed = await daemon.deliveries({ event: published[0].id });
    for (const shown of listed) {
      const { delivery } = await daemon.ok('deliveries.get', { id: shown.id });
      const { attempts, ...rest } = delivery;
      assert.deepEqual(rest, shown, 'beside the attempts it is what the list shows');
      assert.equal(attempts.length, 1);
      const [a] = attempts;
      assert.equal(a.n, 1);
      assert.equal(Date.parse(a.started_at), Date.parse(shown.created_date));
      assert.ok(Number.isInteger(a.duration_ms) && a.duration_ms >= 0);
      const expected = { [good.id]: [200, '{}'], [bad.id]: [418, 'teapot'], [off.id]: [500, 'broken'] }[shown.webhook];
      assert.deepEqual([a.http_status, a.response_body], expected);
      assert.equal(a.reason ?? null, shown.webhook === good.id ? null : 'http_status');
      const byGet = await daemon.get(`deliveries.get?id=${encodeURIComponent(shown.id)}`);
      assert.deepEqual([byGet.status, byGet.body], [200, { delivery }]);
    }
  });

  proves('bad ids: missing, of the wrong kind, malformed, of another type, unknown', async () => {
    const [{ id }] = await daemon.deliveries({ webhook: good.id });
    assertError(await daemon.call('deliveries.get', {}), 400, 'missing_required_field', { field_name: 'id' });
    assertError(await daemon.get('deliveries.get'), 400, 'missing_required_field', { field_name: 'id' });
    assertError(await daemon.call('deliveries.get', { id: [] }), 400, 'unexpected_json_type', { actual: 'array', expected: 'string', field_name: 'id' });
    for (const wrong of ['x', '', id.replace(':delivery/', '/delivery/'), `${id}/`, ` ${id}`]) {
      assertError(await daemon.call('deliveries.get', { id: wrong }), 400, 'invalid_id', { field_name: 'id' }, wrong);
    }
    for (const other of [good.id, published[0].id, wire(good, published[0])]) {
      assertError(await daemon.call('deliveries.get', { id: other }), 400, 'unexpected_id_type', { field_name: 'id', value: other, allowed_types: ['delivery'] });
    }
    assertError(await daemon.call('deliveries.get', { id: `${good.id}:delivery/zzzzzzzzzzz` }), 404, 'not_found');
    assertError(await daemon.call('deliveries.get', { id: id.replace(good.id, bad.id) }), 404, 'not_found', {}, 'the delivery of another webhook');
  });
});

describe('a thousand deliveries', () => {
  proves('are all there, once each, in pages of any size', async () => {
    const own = await startDaemon();
    try {
      const to = receiver.endpoint('/thousand');
      const webhook = await own.activeWebhook(to);
      const sent = await own.publishAll(events(1000));
      await own.settle();
      for (const limit of [7, 50, 100]) {
        const all = await own.deliveries({ webhook: webhook.id, state: 'delivered' }, limit);
        assert.deepEqual(all.map((d) => d.event), sent.map((e) => e.id).reverse(), `limit ${limit}`);
      }
    } finally {
      await own.end();
    }
  });
});
