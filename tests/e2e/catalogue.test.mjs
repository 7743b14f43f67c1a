// The event catalogue at the API: events.sample, and what a payload must hold to be published.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startDaemon } from './lib/daemon.mjs';
import { assertError } from './lib/errors.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { event, EVENT_TYPES, sample } from './lib/shapes.mjs';
import { inWorld, proves, tearDown } from './lib/suite.mjs';

const PUBLISHABLE = EVENT_TYPES.filter((type) => type !== 'verify');

let daemon;
let receiver;
let all;

before(async () => {
  receiver = await startReceiver();
  daemon = await startDaemon();
  all = receiver.endpoint('/all');
  await daemon.activeWebhook(all, { event_types: EVENT_TYPES });
});

after(() => tearDown(daemon, receiver));

/** A publish that must be refused. */
async function refused(body, type, fields, what = JSON.stringify(body)) {
  assertError(await daemon.call('events.publish', body), 400, type, fields, what);
}

describe('events.sample', () => {
  proves('each type but verify has a sample, which can be published as it is and arrives so', async () => {
    all.clear();
    const published = [];
    for (const type of PUBLISHABLE) {
      const { event: made, ...rest } = await daemon.ok('events.sample', { type });
      assert.deepEqual(rest, {});
      assert.deepEqual(made, sample(type));
      assert.deepEqual(Object.keys(made), ['type', type]);
      published.push(await daemon.publish(made));
    }
    await daemon.settle();
    published.forEach((e, n) => assert.deepEqual(all.of(e)[0]?.body[PUBLISHABLE[n]], sample(PUBLISHABLE[n])[PUBLISHABLE[n]], PUBLISHABLE[n]));
  });

  proves('the answer is canonical: a client that parses and serialises it has the same bytes', async () => {
    for (const type of PUBLISHABLE) {
      const res = await daemon.call('events.sample', { type });
      assert.equal(res.status, 200);
      assert.equal(JSON.stringify(JSON.parse(res.text)), res.text, type);
    }
  });

  proves('refuses what is no type that can be published, and other mistakes', async () => {
    for (const value of ['verify', 'no_such', '', 'work_created ']) {
      assertError(await daemon.call('events.sample', { type: value }), 400, 'invalid_enum_value', { field_name: 'type', value, allowed_values: PUBLISHABLE }, value);
    }
    assertError(await daemon.call('events.sample', {}), 400, 'missing_required_field', { field_name: 'type' });
    assertError(await daemon.call('events.sample', { type: null }), 400, 'unexpected_json_type', { field_name: 'type', expected: 'string', actual: 'null' });
    assertError(await daemon.call('events.sample', { type: 'tag_created', count: 2 }), 400, 'invalid_field', { field_name: 'count' });
  });
});

describe('what a payload must hold', () => {
  proves('a required field that is absent or of another kind is named by its path', async () => {
    const work = event().work_created.work;
    for (const field of Object.keys(work)) {
      const { [field]: removed, ...rest } = work;
      await refused({ type: 'work_created', work_created: { work: rest } }, 'missing_required_field', { field_name: `work_created.work.${field}` });
      const expected = Array.isArray(removed) ? 'array' : 'string';
      for (const [value, actual] of [[null, 'null'], [7, 'number'], [{}, 'object'], [true, 'bool']]) {
        const body = { type: 'work_created', work_created: { work: { ...work, [field]: value } } };
        await refused(body, 'unexpected_json_type', { field_name: `work_created.work.${field}`, expected, actual });
      }
    }
    await refused({ type: 'work_created', work_created: {} }, 'missing_required_field', { field_name: 'work_created.work' });
    await refused({ type: 'work_deleted', work_deleted: { id: null } }, 'unexpected_json_type', { field_name: 'work_deleted.id', expected: 'string', actual: 'null' });
  });

  proves('an object that may be absent is checked when it is there', async () => {
    const { work } = event().work_created;
    await daemon.publish({ type: 'work_updated', work_updated: { work } });
    await refused({ type: 'work_updated', work_updated: { work, old_work: {} } }, 'missing_required_field', { field_name: 'work_updated.old_work.type' });
    await refused({ type: 'work_updated', work_updated: { work, old_work: null } }, 'unexpected_json_type', { field_name: 'work_updated.old_work', expected: 'object', actual: 'null' });
  });

  proves('kinds of work that are new, and fields that no schema has, are let through untouched', async () => {
    all.clear();
    const payload = { tnt__x: [null, 1.5], work: { ...event().work_created.work, type: 'epic', custom_fields: { tnt__y: 'z' } } };
    const e = await daemon.publish({ type: 'work_created', work_created: payload });
    await daemon.settle();
    assert.deepEqual(all.of(e)[0].body.work_created, payload);
  });

  proves('in a batch the path begins with the event, and one bad payload refuses all', async () => {
    const newest = async () => (await daemon.ok('events.list', { limit: 1 })).events[0].id;
    const before = await newest();
    const one = event();
    await refused({ events: [one, one, { type: 'tag_created', tag_created: { tag: { id: 'x' } } }] }, 'missing_required_field', { field_name: 'events[2].tag_created.tag.name' });
    await refused({ events: [one, { type: 'tag_created', tag_created: { tag: { id: 7 } } }] }, 'unexpected_json_type', { field_name: 'events[1].tag_created.tag.id', expected: 'string', actual: 'number' });
    assert.equal(await newest(), before);
  });

  proves('kinds come before missing fields, those before values, over the whole batch', async () => {
    const lacks = { type: 'work_created', work_created: {} };
    await refused({ events: [lacks, { type: 'tag_created', tag_created: { tag: 7 } }] }, 'unexpected_json_type', { field_name: 'events[1].tag_created.tag', expected: 'object', actual: 'number' });
    await refused({ events: [{ type: 'no_such', no_such: {} }, lacks] }, 'missing_required_field', { field_name: 'events[1].work_created.work' });
    await refused({ events: [lacks, { ...event(), more: 1 }] }, 'invalid_field', { field_name: 'events[1].more' });
    await refused({ type: 'verify', verify: {} }, 'invalid_enum_value', { field_name: 'type', value: 'verify', allowed_values: PUBLISHABLE });
  });

  inWorld('with lenient_payloads any object is a payload', { set: { lenient_payloads: true } }, async ({ daemon: lenient, to }) => {
    await lenient.activeWebhook(to);
    const e = await lenient.publish({ type: 'work_created', work_created: { work: null } });
    await lenient.settle();
    assert.deepEqual(to.of(e)[0].body.work_created, { work: null });
    assertError(await lenient.call('events.publish', { type: 'work_created', work_created: [] }), 400, 'unexpected_json_type', { field_name: 'work_created', expected: 'object', actual: 'array' });
  });
});
