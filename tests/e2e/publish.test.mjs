// events.publish: one event and batches, all or nothing, the limits, canonical bytes on the wire, and Idempotency-Key.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startDaemon } from './lib/daemon.mjs';
import { assertError, REASON } from './lib/errors.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { event, EVENT_ID, events, EVENT_TYPES, HOUR, RFC3339 } from './lib/shapes.mjs';
import { inWorld, proves, tearDown } from './lib/suite.mjs';

const MIB = 1024 * 1024;

let daemon;
let receiver;
let all;

/** What is newest in the store: whoever stores anything changes it. */
async function newest() {
  const [{ events: e }, { deliveries: d }] = [await daemon.ok('events.list', { limit: 1 }), await daemon.ok('deliveries.list', { limit: 1 })];
  return [e[0]?.id, d[0]?.id];
}

/** A publish that must be refused and must store and send nothing. */
async function refused(body, status, type, fields, what, options) {
  const before = await newest();
  const res = await daemon.call('events.publish', body, options);
  assertError(res, status, type, fields, what);
  assert.deepEqual(await newest(), before, `${what}: a refused publish stores nothing`);
}

before(async () => {
  receiver = await startReceiver();
  // Any payload will do here; what a payload must hold is in catalogue.test.mjs.
  daemon = await startDaemon({ set: { lenient_payloads: true } });
  all = receiver.endpoint('/all');
  await daemon.activeWebhook(all, { event_types: EVENT_TYPES });
});

after(() => tearDown(daemon, receiver));

describe('what is accepted', () => {
  proves('one event: 202 with id, type, created_date and the number of deliveries, and it arrives', async () => {
    all.clear();
    const res = await daemon.call('events.publish', event('work_created', { n: 1 }));
    assert.equal(res.status, 202, res.text);
    assert.deepEqual(Object.keys(res.body), ['event']);
    const { id, type, created_date: created, deliveries, ...rest } = res.body.event;
    assert.match(id, EVENT_ID);
    assert.equal(type, 'work_created');
    assert.match(created, RFC3339);
    assert.equal(deliveries, 1);
    assert.deepEqual(rest, {}, 'no other field');
    await daemon.settle();
    assert.deepEqual(all.of(id).map((r) => r.body.work_created), [event('work_created', { n: 1 }).work_created]);
  });

  proves('every publishable type of the enum', async () => {
    all.clear();
    const types = EVENT_TYPES.filter((type) => type !== 'verify');
    const published = await daemon.publishAll(types.map((type) => event(type, { of: type })));
    assert.deepEqual(published.map((e) => e.type), types, 'answered in the order of the request');
    await daemon.settle();
    for (const { id, type } of published) {
      const [request] = all.of(id);
      assert.equal(request?.body.type, type);
      assert.equal(request.body[type].of, type);
    }
  });

  proves('a batch of 1 and of 1,000 events, ids all different, in order', async () => {
    assert.equal((await daemon.publishAll(events(1))).length, 1);
    await daemon.settle();
    all.clear();
    const published = await daemon.publishAll(events(1000));
    assert.equal(published.length, 1000);
    assert.equal(new Set(published.map((e) => e.id)).size, 1000);
    await daemon.settle();
    assert.equal(all.events().length, 1000);
    published.forEach((e, n) => assert.equal(all.of(e)[0]?.body.work_created.n, n, `event ${n} of the answer is event ${n} of the request`));
  });

  proves('an event that nobody subscribes to is accepted with 0 deliveries', async () => {
    const own = await startDaemon();
    try {
      assert.equal((await own.publish(event())).deliveries, 0);
      assert.equal((await own.events()).length, 1);
      assert.deepEqual(await own.deliveries(), []);
    } finally {
      await own.end();
    }
  });

  proves('an event just under 1 MiB, and nesting of 64', async () => {
    all.clear();
    const big = await daemon.publish(event('work_created', { text: 'x'.repeat(MIB - 1024) }));
    // The request object, the payload, and 62 arrays.
    const deep = await daemon.publish(`{"type":"tag_created","tag_created":{"deep":${'['.repeat(62)}${']'.repeat(62)}}}`);
    await daemon.settle();
    assert.equal(all.of(big)[0].body.work_created.text.length, MIB - 1024);
    assert.equal(all.of(deep).length, 1);
  });
});

describe('what is refused', () => {
  const one = event();
  const bad = [
    ['an empty object', {}, 'missing_required_field', { field_name: 'type' }],
    ['an array', [one], 'unexpected_json_type', { actual: 'array', expected: 'object', field_name: '' }],
    ['a type that is a number', { type: 1 }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'type' }],
    ['a type that is null', { type: null }, 'unexpected_json_type', { actual: 'null', expected: 'string', field_name: 'type' }],
    ['an unknown type', { type: 'work_exploded', work_exploded: {} }, 'invalid_enum_value', { field_name: 'type', value: 'work_exploded', allowed_values: publishable }],
    ['verify', { type: 'verify', verify: { challenge: 'x' } }, 'invalid_enum_value', { field_name: 'type', value: 'verify', allowed_values: publishable }],
    ['no payload', { type: 'work_created' }, 'missing_required_field', { field_name: 'work_created' }],
    ['a payload that is a string', { type: 'work_created', work_created: 'x' }, 'unexpected_json_type', { actual: 'string', expected: 'object', field_name: 'work_created' }],
    ['a payload that is an array', { type: 'work_created', work_created: [] }, 'unexpected_json_type', { actual: 'array', expected: 'object', field_name: 'work_created' }],
    ['a payload that is null', { type: 'work_created', work_created: null }, 'unexpected_json_type', { actual: 'null', expected: 'object', field_name: 'work_created' }],
    ['the payload of another type', { type: 'work_created', tag_created: {} }, 'invalid_field', { field_name: 'tag_created' }],
    ['an unknown field', { ...one, id: 'x' }, 'invalid_field', { field_name: 'id' }],
    ['events that is an object', { events: {} }, 'unexpected_json_type', { actual: 'object', expected: 'array', field_name: 'events' }],
    ['events that is null', { events: null }, 'unexpected_json_type', { actual: 'null', expected: 'array', field_name: 'events' }],
    ['events beside another field', { events: [one], bogus: 1 }, 'invalid_field', { field_name: 'bogus' }],
    ['no event', { events: [] }, 'value_not_permitted', { field_name: 'events', reason: REASON }],
    ['1,001 events', { events: events(1001) }, 'value_not_permitted', { field_name: 'events', reason: REASON }],
    ['an event that is a string', { events: [one, 'x'] }, 'unexpected_json_type', { actual: 'string', expected: 'object', field_name: 'events[1]' }],
    ['an empty event', { events: [one, {}] }, 'missing_required_field', { field_name: 'events[1].type' }],
    ['an unknown type in a batch', { events: [one, one, { type: 'nope', nope: {} }] }, 'invalid_enum_value', { field_name: 'events[2].type', value: 'nope', allowed_values: publishable }],
    ['verify in a batch', { events: [{ type: 'verify', verify: {} }, one] }, 'invalid_enum_value', { field_name: 'events[0].type', value: 'verify', allowed_values: publishable }],
    ['no payload in a batch', { events: [one, one, one, { type: 'work_created' }] }, 'missing_required_field', { field_name: 'events[3].work_created' }],
    ['a payload of the wrong kind in a batch', { events: [one, one, one, { type: 'work_created', work_created: 7 }] }, 'unexpected_json_type', { actual: 'number', expected: 'object', field_name: 'events[3].work_created' }],
    ['an unknown field in a batch', { events: [one, { ...one, extra: 1 }] }, 'invalid_field', { field_name: 'events[1].extra' }],
    ['a bad event at the end of a thousand', { events: [...events(999), { type: 'work_created' }] }, 'missing_required_field', { field_name: 'events[999].work_created' }],
  ];
  for (const [what, body, type, fields] of bad) {
    proves(`${what}: ${type}; nothing is stored`, () => refused(body, 400, type, fields, what));
  }

  const broken = [
    ['no JSON', '{"type":"work_created"'],
    ['a duplicate key in the payload', '{"type":"work_created","work_created":{"a":1,"a":2}}'],
    ['a duplicate key written with an escape', '{"type":"work_created","work_created":{"a":1,"\\u0061":2}}'],
    ['a duplicate key at the top', '{"type":"work_created","type":"work_created","work_created":{}}'],
    ['a duplicate key deep inside', '{"type":"work_created","work_created":{"x":[{"y":{"k":1,"j":2,"k":3}}]}}'],
    ['a lone high surrogate', '{"type":"work_created","work_created":{"a":"\\ud83d"}}'],
    ['a lone low surrogate', '{"type":"work_created","work_created":{"a":"\\ude00x"}}'],
    ['a lone surrogate in a key', '{"type":"work_created","work_created":{"\\ud83d":1}}'],
    ['invalid UTF-8', Buffer.from('{"type":"work_created","work_created":{"a":"\xff"}}', 'latin1')],
    ['an encoded surrogate', Buffer.from('{"type":"work_created","work_created":{"a":"\xed\xa0\x80"}}', 'latin1')],
    ['a raw control character', '{"type":"work_created","work_created":{"a":"\u0001"}}'],
    ['nesting of 65', `{"type":"work_created","work_created":{"deep":${'['.repeat(63)}${']'.repeat(63)}}}`],
    ['nesting of 100,000', `{"type":"work_created","work_created":{"deep":${'['.repeat(100000)}${']'.repeat(100000)}}}`],
    ['a trailing comma', '{"type":"work_created","work_created":{"a":[1,]}}'],
    ['a second value', '{"type":"work_created","work_created":{}}{}'],
    ['a number with a leading zero', '{"type":"work_created","work_created":{"a":01}}'],
    ['a hexadecimal number', '{"type":"work_created","work_created":{"a":0x1}}'],
  ];
  for (const [what, body] of broken) {
    proves(`${what}: parse_error; nothing is stored`, () => refused(body, 400, 'parse_error', {}, what));
  }

  proves('an event over 1 MiB: request_entity_too_large; alone and inside a batch, which is refused whole', async () => {
    const big = event('work_created', { text: 'x'.repeat(MIB) });
    await refused(big, 413, 'request_entity_too_large', { max_bytes: MIB }, 'alone');
    await refused({ events: [one, big] }, 413, 'request_entity_too_large', { max_bytes: MIB }, 'in a batch');
  });

  proves('a request over 16 MiB: 413 by its Content-Length, and by its bytes when chunked', async () => {
    const before = await newest();
    const head = 'POST /events.publish HTTP/1.1\r\nHost: x\r\nAuthorization: dev-token\r\nContent-Type: application/json\r\n';
    const piece = Buffer.alloc(64 * 1024, 32);
    function* sized() {
      yield `${head}Content-Length: ${16 * MIB + 1}\r\n\r\n`;
      for (let sent = 0; sent < 16 * MIB; sent += piece.length) yield piece;
      yield ' ';
    }
    function* chunked() {
      yield `${head}Transfer-Encoding: chunked\r\n\r\n`;
      for (let sent = 0; sent < 17 * MIB; sent += piece.length) {
        yield `${piece.length.toString(16)}\r\n`;
        yield piece;
        yield '\r\n';
      }
      yield '0\r\n\r\n';
    }
    for (const [what, pieces] of [['Content-Length', sized()], ['chunked', chunked()]]) {
      assertError(await daemon.raw(pieces), 413, 'request_entity_too_large', { max_bytes: 16 * MIB }, what);
    }
    assert.deepEqual(await newest(), before);
  });

  inWorld('a request of 40 MB where that is allowed: it is kept in memory, for it could not be elsewhere', { set: { request_bytes_max: 64 * MIB } }, async ({ daemon }) => {
    const list = events(45, 'work_created', () => ({ text: 'x'.repeat(900000) }));
    assert.equal((await daemon.publishAll(list)).length, 45);
  });

  proves('a request that would lead to more than 100,000 deliveries; nothing is stored or sent', async () => {
    const own = await startDaemon();
    try {
      const to = receiver.endpoint('/many');
      const ids = [];
      for (let n = 0; n < 101; n++) ids.push((await own.createWebhook({ url: to.url, event_types: ['work_created'] })).id);
      for (const id of ids) await own.waitActive(id);
      const res = await own.call('events.publish', { events: events(1000) });
      assertError(res, 400, 'value_not_permitted', { field_name: 'events', reason: REASON });
      assert.deepEqual([await own.events(), await own.deliveries()], [[], []]);
      await own.settle();
      assert.equal(to.events().length, 0);
      const few = await own.publishAll(events(2));
      assert.deepEqual(few.map((e) => e.deliveries), [101, 101], 'a smaller one goes through');
      await own.settle();
      assert.equal(to.events().length, 202);
    } finally {
      await own.end();
    }
  });
});

describe('canonical bytes', () => {
  /** Publish a payload given as text and return the text of it on the wire. */
  async function onTheWire(payload, text = `{"type":"work_created","work_created":${payload}}`) {
    const { id } = await daemon.publish(text);
    await daemon.settle();
    const [request] = all.of(id);
    assert.ok(request, `event ${id} arrived`);
    const mark = ',"type":"work_created","work_created":';
    const at = request.text.indexOf(mark);
    assert.ok(at > 0 && request.text.endsWith('}'), request.text);
    return { payload: request.text.slice(at + mark.length, -1), request };
  }

  const numbers = [
    ['1.0', '1'], ['1e2', '100'], ['1E2', '100'], ['1e+2', '100'], ['0.1', '0.1'], ['0.10', '0.1'], ['1.50e1', '15'], ['-1.0', '-1'], ['0.0', '0'], ['0e5', '0'],
    ['100', '100'], ['1e21', '1e+21'], ['1e-7', '1e-7'], ['0.0000001', '1e-7'], ['0.000001', '0.000001'], ['123456789.125', '123456789.125'],
    ['9007199254740991', '9007199254740991'], ['9007199254740993', '9007199254740993'], ['12345678901234567890', '12345678901234567890'], ['-12345678901234567891', '-12345678901234567891'],
    ['100000000000000000000000', '1e+23'], ['123456789012345680000', '123456789012345680000'],
    ['0.1000000000000000055511151231257827', '0.1000000000000000055511151231257827'], ['3.141592653589793238462643383279', '3.141592653589793238462643383279'],
    ['1e400', '1e400'], ['-1E400', '-1E400'], ['1e-400', '1e-400'], ['-0', '-0'], ['5e-324', '5e-324'], ['1.7976931348623157e308', '1.7976931348623157e+308'],
  ];
  proves(`numbers: ${numbers.length} cases keep the publisher's value, written as JSON.stringify would where that is the same value`, async () => {
    const { payload } = await onTheWire(`{"n":[${numbers.map(([from]) => from).join(',')}]}`);
    assert.deepEqual(payload.slice('{"n":['.length, -2).split(','), numbers.map(([, to]) => to));
  });

  const strings = [
    ['\\u0041', 'A'], ['a\\/b', 'a/b'], ['\\u00e9', 'é'], ['é', 'é'], ['\\u001f', '\\u001f'], ['\\u001F', '\\u001f'], ['\\u0000', '\\u0000'],
    ['\\u0008\\u0009\\u000a\\u000c\\u000d', '\\b\\t\\n\\f\\r'], ['\\b\\t\\n\\f\\r', '\\b\\t\\n\\f\\r'], ['\\"\\\\', '\\"\\\\'], ['\\u0022\\u005c', '\\"\\\\'],
    ['\\u003c&>', '<&>'], ['\\u2028\\u2029', '\u2028\u2029'], ['\\u007f', '\u007f'], ['\\ud83d\\ude00', '😀'], ['😀', '😀'], ['\\uFFFF', '\uffff'], ['日本語', '日本語'],
  ];
  proves(`strings: ${strings.length} cases come out as JSON.stringify prints them, keys too`, async () => {
    const { payload, request } = await onTheWire(`{"s":[${strings.map(([from]) => `"${from}"`).join(',')}],"k":{"\\u0041":1,"a\\/b":1,"\\u00fc":2}}`);
    const wanted = `{"s":[${strings.map(([, to]) => `"${to}"`).join(',')}],"k":{"A":1,"a/b":1,"ü":2}}`;
    assert.equal(payload, wanted);
    assert.equal(JSON.stringify(JSON.parse(request.text)), request.text);
  });

  proves('white space goes, the order of keys stays, nothing follows the body', async () => {
    const { payload, request } = await onTheWire('', '\n { "work_created" : { "z" : 1 , "a" : [ ] , "m" : { } ,\t"b" : [ true , false , null ] } , "type" : "work_created" }\r\n ');
    assert.equal(payload, '{"z":1,"a":[],"m":{},"b":[true,false,null]}');
    assert.equal(request.text, JSON.stringify(JSON.parse(request.text)));
    assert.equal(Number(request.headers['content-length']), request.bytes.length);
  });

  proves('integer-like keys keep the publisher\'s order', async () => {
    assert.equal((await onTheWire('{"b":1,"2":2,"1":3,"__proto__":4}')).payload, '{"b":1,"2":2,"1":3,"__proto__":4}');
  });

  proves('a batch has the same bytes as a single event', async () => {
    const payload = '{"x":1.0,"y":"\\u00e9"}';
    const res = await daemon.ok('events.publish', `{"events":[{"type":"work_created","work_created":${payload}} , {"type":"work_created","work_created":${payload}}]}`, { status: 202 });
    await daemon.settle();
    for (const e of res.events) {
      assert.ok(all.of(e)[0].text.endsWith(',"type":"work_created","work_created":{"x":1,"y":"é"}}'), all.of(e)[0].text);
    }
  });

  proves('JSON.stringify(JSON.parse(body)) is the body, for every event of this file that promises it', async () => {
    const big = { list: Array.from({ length: 500 }, (_, n) => ({ n, half: n / 2, text: `π ${n} "quoted" \\ / \n`, nil: null })) };
    const { payload, request } = await onTheWire(JSON.stringify(big, null, 2));
    assert.equal(payload, JSON.stringify(big));
    assert.equal(JSON.stringify(JSON.parse(request.text)), request.text);
    all.assertSigned();
  });
});

describe('Idempotency-Key', () => {
  const keyed = (key) => ({ headers: { 'Idempotency-Key': key } });

  proves('the same key and body get the first answer again, marked, and nothing new is stored', async () => {
    const body = { events: events(3) };
    const first = await daemon.call('events.publish', body, keyed('k-replay'));
    assert.equal(first.status, 202);
    assert.equal(first.headers['idempotent-replayed'], undefined, 'the first answer is not marked');
    const before = await newest();
    for (let n = 0; n < 3; n++) {
      const again = await daemon.call('events.publish', body, keyed('k-replay'));
      assert.equal(again.status, 202);
      assert.equal(again.headers['idempotent-replayed'], 'true');
      assert.deepEqual(again.body, first.body);
    }
    assert.deepEqual(await newest(), before);
    await daemon.settle();
    for (const e of first.body.events) assert.equal(all.of(e).length, 1, 'delivered once');
  });

  proves('the same key with another body is 409 conflict, and stores nothing', async () => {
    await daemon.publish(event('work_created', { n: 1 }), keyed('k-conflict'));
    await refused(event('work_created', { n: 2 }), 409, 'conflict', {}, 'another body', keyed('k-conflict'));
  });

  proves('another key, or none, publishes anew', async () => {
    const body = event('work_created', { n: 3 });
    const ids = [await daemon.publish(body, keyed('k-a')), await daemon.publish(body, keyed('k-b')), await daemon.publish(body), await daemon.publish(body)];
    assert.equal(new Set(ids.map((e) => e.id)).size, 4);
  });

  proves('a refused publish does not use up its key', async () => {
    const res = await daemon.call('events.publish', { type: 'work_created' }, keyed('k-refused'));
    assert.equal(res.status, 400);
    const good = await daemon.call('events.publish', event(), keyed('k-refused'));
    assert.equal(good.status, 202);
    assert.equal(good.headers['idempotent-replayed'], undefined);
  });

  proves('of many publishes at once with one key, one is stored and all get its answer', async () => {
    const [before] = await newest();
    const body = event('work_created', { race: true });
    const answers = await Promise.all(Array.from({ length: 20 }, () => daemon.call('events.publish', body, keyed('k-race'))));
    assert.deepEqual(answers.map((res) => res.status), Array(20).fill(202));
    assert.equal(new Set(answers.map((res) => res.body.event.id)).size, 1);
    assert.equal(answers.filter((res) => res.headers['idempotent-replayed'] !== 'true').length, 1, 'one is the first');
    const { events: two } = await daemon.ok('events.list', { limit: 2 });
    assert.deepEqual(two.map((e) => e.id), [answers[0].body.event.id, before], 'one event was stored');
  });

  proves('a key has 1 to 255 bytes', async () => {
    assert.equal((await daemon.call('events.publish', event(), keyed('k'.repeat(255)))).status, 202);
    const res = await daemon.call('events.publish', event(), keyed('k'.repeat(256)));
    assertError(res, 400, 'value_not_permitted', { field_name: 'Idempotency-Key', reason: REASON });
  });

  proves('a key is remembered across a stop and across a kill, and forgotten after 24 h', async () => {
    const own = await startDaemon();
    try {
      const body = event('work_created', { kept: 1 });
      const first = await own.publish(body, keyed('k-kept'));
      for (const kill of [false, true]) {
        await own.restart({ kill });
        const again = await own.call('events.publish', body, keyed('k-kept'));
        assert.equal(again.status, 202);
        assert.equal(again.headers['idempotent-replayed'], 'true', kill ? 'after a kill' : 'after a stop');
        assert.deepEqual(again.body.event, first);
        assertError(await own.call('events.publish', event(), keyed('k-kept')), 409, 'conflict');
      }
      await own.advance(24 * HOUR - 60000);
      assert.equal((await own.publish(body, keyed('k-kept'))).id, first.id, 'remembered just before 24 h');
      await own.advance(2 * 60000);
      const fresh = await own.call('events.publish', body, keyed('k-kept'));
      assert.equal(fresh.status, 202);
      assert.equal(fresh.headers['idempotent-replayed'], undefined);
      assert.notEqual(fresh.body.event.id, first.id, 'forgotten after 24 h');
    } finally {
      await own.end();
    }
  });
});

/** The allowed values of a publish: every type, with or without verify, which only the service sends. */
function publishable(seen) {
  const words = (list) => list.filter((type) => type !== 'verify').sort().join();
  return Array.isArray(seen) && words([...seen]) === words([...EVENT_TYPES]);
}
