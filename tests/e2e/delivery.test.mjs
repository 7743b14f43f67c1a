// From an accepted event to its recorded outcome: what is on the wire, when it is sent, what counts as an acknowledgement.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { REASON, assertError } from './lib/errors.mjs';
import { sign, startReceiver } from './lib/receiver.mjs';
import { event, events, RETRY_DELAYS_MS, WIRE_EVENT_ID, WIRE_TIMESTAMP } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';
import { until } from './lib/wait.mjs';

const MIB = 1024 * 1024;

/** Whether a delivery names no reason, as one that has not failed does. */
const noReason = (delivery) => delivery.reason === undefined || delivery.reason === null;

describe('on the wire', () => {
  inWorld('the envelope is id, webhook_id, timestamp, type and the field named like the type, in this order', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to, { event_types: ['tag_created'] });
    const published = await daemon.publish({ type: 'tag_created', tag_created: { tag: { id: 'x', name: 'ü' } } });
    const { now } = await daemon.settle();
    const [request] = to.events();
    const { body } = request;
    assert.deepEqual(Object.keys(body), ['id', 'webhook_id', 'timestamp', 'type', 'tag_created']);
    assert.match(body.id, WIRE_EVENT_ID);
    assert.equal(body.id, `${webhook.id}:event/${published.id.split(':event/')[1]}`, 'the same x as in our API');
    assert.equal(body.webhook_id, webhook.id);
    assert.match(body.timestamp, WIRE_TIMESTAMP);
    assert.equal(Math.floor(request.micros / 1000), Date.parse(now), 'the instant of the invocation');
    assert.equal(body.type, 'tag_created');
    assert.deepEqual(body.tag_created, { tag: { id: 'x', name: 'ü' } });
    assert.equal(request.method, 'POST');
    assert.equal(request.path, '/hook');
    assert.match(request.headers['content-type'], /^application\/json(;|$)/);
    assert.equal(request.headers['content-length'], String(request.bytes.length));
    assert.equal(request.headers.host, new URL(to.url).host);
    assert.match(request.headers['user-agent'], /revhook/i);
    for (const name of ['transfer-encoding', 'expect', 'accept-encoding', 'cookie', 'authorization', 'referer']) {
      assert.equal(request.headers[name], undefined, `no ${name}`);
    }
    assert.match(request.signature, /^[0-9a-f]{64}$/);
    to.assertSigned();
  });

  inWorld('the url is called as it was given, path and query', async ({ daemon, receiver }) => {
    const to = receiver.endpoint('/a%20b/%C3%A9?x=1&y=%2F&z');
    await daemon.activeWebhook(to);
    await daemon.publish(event());
    await daemon.settle();
    assert.equal(to.events().length, 1);
    assert.deepEqual(receiver.strays, []);
  });

  const secrets = ['secret-8', 'your-webhook-secret', 'MTIzNDU2Nzg5MGFiY2RlZg==', Buffer.alloc(32, 200).toString('base64'), 'ééééé', "quote'\"\\ slash/ <&>", 'x'.repeat(32)];
  inWorld('the signature is HMAC-SHA256 of the exact bytes, keyed with the secret as it is written, whatever it looks like', async ({ daemon, receiver }) => {
    const targets = [];
    for (const [n, secret] of secrets.entries()) {
      const to = receiver.endpoint(`/secret-${n}`);
      await daemon.activeWebhook(to, { secret });
      targets.push(to);
    }
    await daemon.publish(event('work_created', { text: 'π "x" \\ \n 😀' }));
    await daemon.settle();
    for (const [n, to] of targets.entries()) {
      assert.equal(to.requests.length, 2, 'a verify and an event');
      to.assertSigned(secrets[n]);
    }
    // The published vector of the documentation, to hold the receiver's own arithmetic to something.
    const vector = '{"id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123:event/abcdef","webhook_id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123","timestamp":"2022-08-01T12:00:00.123456Z","type":"verify","verify":{"challenge":"DlrVaK7zRyZWwbJhj5dZHDlrVaK7Jhj5dZZjH"}}';
    assert.equal(sign('MTIzNDU2Nzg5MGFiY2RlZg==', vector), 'acde1898df630d91ee7a354db3841e305da3a6b1c14576bfb9c50385df4cb241');
  });

  inWorld('custom headers are on every POST, verify and retries included', async ({ daemon, to }) => {
    to.break();
    const headers = [{ name: 'X-Api-Key', value: 'k 1' }, { name: 'Authorization', value: 'Basic abc' }, { name: 'x_under-1', value: 'ü' }];
    await daemon.activeWebhook(to, { headers });
    await daemon.publish(event());
    await daemon.settle();
    await daemon.advance(30000);
    await daemon.advance(180000);
    assert.equal(to.requests.length, 4, 'a verify and three attempts');
    for (const request of to.requests) {
      assert.equal(request.headers['x-api-key'], 'k 1');
      assert.equal(request.headers.authorization, 'Basic abc');
      assert.equal(Buffer.from(request.headers['x_under-1'], 'latin1').toString('utf8'), 'ü');
    }
    to.assertSigned();
  });

  inWorld('only subscribed types are sent', async ({ daemon, receiver }) => {
    const both = receiver.endpoint('/both');
    const none = receiver.endpoint('/none');
    const one = receiver.endpoint('/one');
    await daemon.activeWebhook(both, { event_types: ['tag_created', 'work_created'] });
    await daemon.activeWebhook(none, { event_types: ['verify'] });
    await daemon.activeWebhook(one, { event_types: ['tag_created'] });
    const published = await daemon.publishAll([event('tag_created'), event('work_created'), event('tag_deleted')]);
    assert.deepEqual(published.map((e) => e.deliveries), [2, 1, 0]);
    await daemon.settle();
    assert.deepEqual(both.events().map((r) => r.type).sort(), ['tag_created', 'work_created']);
    assert.deepEqual(one.events().map((r) => r.type), ['tag_created']);
    assert.deepEqual(none.events(), []);
  });

  inWorld('connections are kept alive and used again', async ({ daemon, receiver, to }) => {
    await daemon.activeWebhook(to);
    let connections = 0;
    receiver.server.on('connection', () => connections++);
    for (let n = 0; n < 20; n++) {
      await daemon.publish(event());
      await daemon.settle();
    }
    assert.equal(to.events().length, 20);
    assert.ok(connections <= 2, `20 events one after the other opened ${connections} new connections`);
  });
});

describe('the schedule', () => {
  inWorld('attempts go out at 0 s, 30 s and 180 s after that, never earlier, with one id, fresh timestamps and signatures', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    to.break();
    const published = await daemon.publish(event('work_created', { n: 1 }));
    assert.equal((await daemon.settle()).attempts, 0, 'the first attempt belongs to the present instant, not to an advance');
    const began = await daemon.now();
    assert.equal(to.events().length, 1);
    let delivery = await daemon.deliveryOf(published, await webhookOf(daemon));
    assert.deepEqual([delivery.state, delivery.attempt_count], ['pending', 1]);
    assert.ok(noReason(delivery), JSON.stringify(delivery));
    assert.equal(Date.parse(delivery.next_attempt_at), began + RETRY_DELAYS_MS[0]);

    assert.equal((await daemon.advance(RETRY_DELAYS_MS[0] - 1)).attempts, 0);
    assert.equal(to.events().length, 1, 'not 1 ms too early');
    assert.equal((await daemon.advance(1)).attempts, 1);
    assert.equal(to.events().length, 2);
    delivery = await daemon.delivery(delivery.id);
    assert.deepEqual([delivery.state, delivery.attempt_count], ['pending', 2]);

    assert.equal((await daemon.advance(RETRY_DELAYS_MS[1] - 1)).attempts, 0);
    assert.equal(to.events().length, 2, 'not 1 ms too early');
    const last = await daemon.advance(1);
    assert.equal(last.attempts, 1);
    assert.equal(last.next, null, 'nothing more is due');
    assert.equal(to.events().length, 3);
    delivery = await daemon.delivery(delivery.id);
    assert.deepEqual([delivery.state, delivery.reason, delivery.attempt_count], ['failed', 'attempts_exhausted', 3]);
    assert.ok(delivery.next_attempt_at === null || delivery.next_attempt_at === undefined);

    const requests = to.events();
    assert.deepEqual(requests.map((r) => r.micros - requests[0].micros), [0, 30e6, 210e6], 'the timestamps on the wire');
    assert.equal(new Set(requests.map((r) => r.id)).size, 1, 'the same id');
    assert.equal(new Set(requests.map((r) => r.body.timestamp)).size, 3, 'fresh timestamps');
    assert.equal(new Set(requests.map((r) => r.signature)).size, 3, 'fresh signatures');
    for (const r of requests) assert.deepEqual(r.body.work_created, requests[0].body.work_created);
    to.assertSigned();

    await daemon.advance(7 * 24 * 3600 * 1000);
    assert.equal(to.events().length, 3, 'no fourth attempt, ever');
  });

  inWorld('a delivery acknowledged at its second attempt is delivered and not sent again', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break({ status: 503 });
    const published = await daemon.publish(event());
    await daemon.settle();
    to.heal();
    assert.equal((await daemon.advance('next')).attempts, 1);
    const delivery = await daemon.deliveryOf(published, webhook);
    assert.deepEqual([delivery.state, delivery.attempt_count], ['delivered', 2]);
    assert.ok(noReason(delivery), JSON.stringify(delivery));
    assert.deepEqual(delivery.attempts.map((a) => a.http_status), [503, 200]);
    await daemon.advance(3600 * 1000);
    assert.equal(to.events().length, 2);
  });

  inWorld('retries do not hold up newer events', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    to.onEvent = (r) => (r.body.work_created.n === 0 ? { status: 500 } : {});
    const [stuck] = await daemon.publishAll(events(1));
    await daemon.settle();
    const newer = [];
    for (let n = 1; n <= 5; n++) newer.push(await daemon.publish(event('work_created', { n })));
    await daemon.settle();
    for (const e of newer) assert.equal(to.of(e).length, 1, 'a newer event goes out at once');
    assert.equal(to.of(stuck).length, 1);
    await daemon.advance(30000);
    assert.equal(to.of(stuck).length, 2);
  });

  inWorld('a retry is as late after a restart or a kill as without one', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break();
    const published = await daemon.publish(event());
    await daemon.settle();
    const before = await daemon.deliveryOf(published, webhook);
    await daemon.restart();
    assert.equal((await daemon.delivery(before.id)).next_attempt_at, before.next_attempt_at);
    await daemon.settle();
    assert.equal(to.events().length, 1, 'not sent again by the restart');
    await daemon.advance('next');
    assert.equal(to.events().length, 2);
    await daemon.restart({ kill: true });
    await daemon.settle();
    assert.equal(to.events().length, 2, 'not sent again by the kill');
    await daemon.advance('next');
    const times = to.events().map((r) => r.micros);
    assert.deepEqual(times.map((t) => t - times[0]), [0, 30e6, 210e6]);
    assert.deepEqual([(await daemon.delivery(before.id)).state, (await daemon.delivery(before.id)).attempt_count], ['failed', 3]);
    to.assertSigned();
  });
});

describe('what counts as an acknowledgement', () => {
  const good = [
    ['200 with {}', {}],
    ['200 with an empty body', { body: '' }],
    ['200 with "OK"', { body: 'OK', headers: { 'Content-Type': 'text/plain' } }],
    ['200 with broken JSON', { body: '{' }],
    ['200 with a stale challenge', { body: '{"challenge":"stale"}' }],
    ['201', { status: 201 }],
    ['202', { status: 202 }],
    ['204 without a body', { raw: 'HTTP/1.1 204 No Content\r\n\r\n' }],
    ['299', { raw: 'HTTP/1.1 299 Fine\r\nContent-Length: 0\r\n\r\n' }],
    ['200 in chunks', { raw: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n' }],
    ['200 of HTTP/1.0 ended by the close', { raw: 'HTTP/1.0 200 OK\r\n\r\nfine' }],
    ['103 before the 200', { raw: 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}' }],
    ['200 with 100 KiB', { body: 'x'.repeat(100 * 1024) }],
    ['200 with exactly 1 MiB', { body: 'x'.repeat(MIB) }],
  ];
  const bad = [
    ['300', { status: 300 }, REASON, 300],
    ['301 to a healthy path', { status: 301, headers: { Location: '/elsewhere' } }, REASON, 301],
    ['302 to a healthy path', { status: 302, headers: { Location: '/elsewhere' } }, REASON, 302],
    ['307 to a healthy path', { status: 307, headers: { Location: '/elsewhere' } }, REASON, 307],
    ['308 to a healthy path', { status: 308, headers: { Location: '/elsewhere' } }, REASON, 308],
    ['304', { raw: 'HTTP/1.1 304 Not Modified\r\n\r\n' }, REASON, 304],
    ['400', { status: 400 }, REASON, 400],
    ['404', { status: 404 }, REASON, 404],
    ['410', { status: 410 }, REASON, 410],
    ['429 with Retry-After', { status: 429, headers: { 'Retry-After': '1' } }, REASON, 429],
    ['500', { status: 500 }, REASON, 500],
    ['503', { status: 503 }, REASON, 503],
    ['599', { status: 599 }, REASON, 599],
    ['a connection reset', { reset: true }, REASON],
    ['a close without an answer', { close: true }, REASON],
    ['a 200 cut short', { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this' }, REASON],
    ['a chunked 200 cut short', { raw: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this' }, REASON],
    ['a 200 with half a header', { raw: 'HTTP/1.1 200 OK\r\nContent-Le' }, REASON],
    ['no HTTP at all', { raw: 'SSH-2.0-OpenSSH_9.2\r\n' }, REASON],
    ['HTTP/0.9', { raw: '<html>fine</html>' }, REASON],
    ['200 with 1 MiB and 1 byte', { body: 'x'.repeat(MIB + 1) }, (reason) => reason === 'response_too_large'],
    ['200 with 3 MiB in chunks', { raw: Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n300000\r\n'), Buffer.alloc(3 * MIB, 120), Buffer.from('\r\n0\r\n\r\n')]) }, (reason) => reason === 'response_too_large'],
  ];

  inWorld(`${good.length} answers are acknowledgements, ${bad.length} are not; redirects are not followed`, async ({ daemon, receiver }) => {
    const elsewhere = receiver.endpoint('/elsewhere');
    const cases = [];
    for (const [n, [what, action, reason, status]] of [...good, ...bad].entries()) {
      const to = receiver.endpoint(`/answer-${n}`);
      const webhook = await daemon.activeWebhook(to);
      to.onEvent = action;
      cases.push({ what, to, webhook, reason, status });
    }
    const published = await daemon.publish(event());
    assert.equal(published.deliveries, cases.length);
    await daemon.settle();
    for (const { what, to, webhook, reason, status } of cases) {
      const delivery = await daemon.deliveryOf(published, webhook);
      const [attempt] = delivery.attempts;
      const told = `${what}: ${JSON.stringify({ ...delivery, attempts: delivery.attempts.map((a) => ({ ...a, response_body: undefined })) })}`;
      assert.equal(to.events().length, 1, `${told}: one POST`);
      assert.equal(delivery.attempts.length, 1, told);
      if (!reason) {
        assert.equal(delivery.state, 'delivered', told);
      } else {
        assert.equal(delivery.state, 'pending', told);
        assert.equal(delivery.attempt_count, 1, told);
        assert.ok(reason(attempt.reason), told);
        if (status) assert.equal(attempt.http_status, status, told);
      }
    }
    assert.deepEqual([elsewhere.requests, receiver.strays], [[], []], 'no redirect is followed');
  });

  inWorld('an attempt is one POST, also on a connection that was used before and breaks without an answer', async ({ daemon, receiver }) => {
    for (const [what, action] of [['close', { close: true }], ['reset', { reset: true }]]) {
      const to = receiver.endpoint(`/${what}`);
      const webhook = await daemon.activeWebhook(to, { event_types: [`tag_${what === 'close' ? 'created' : 'updated'}`] });
      const [type] = webhook.event_types;
      await daemon.publish(event(type));
      await daemon.settle();
      to.clear();
      to.onEvent = action;
      const published = await daemon.publish(event(type));
      await daemon.settle();
      const delivery = await daemon.deliveryOf(published, webhook);
      assert.deepEqual([what, delivery.state, delivery.attempt_count], [what, 'pending', 1]);
      assert.equal(to.events().length, 1, `${what}: POSTs on the wire for the one recorded attempt`);
    }
  });

  inWorld('a refused connection is a failed attempt, and a port that opens again is served at the next', async ({ daemon, receiver, to }) => {
    const webhook = await daemon.activeWebhook(to);
    await receiver.close();
    const published = await daemon.publish(event());
    await daemon.settle();
    let delivery = await daemon.deliveryOf(published, webhook);
    assert.deepEqual([delivery.state, delivery.attempts[0].reason], ['pending', 'connection_refused']);
    await receiver.reopen();
    await daemon.advance(30000);
    delivery = await daemon.deliveryOf(published, webhook);
    assert.deepEqual([delivery.state, delivery.attempt_count], ['delivered', 2]);
  });

  inWorld('an answer that is not complete 3 s after the start is a timeout, in real time: silence, a drip, a late 200', async ({ daemon, receiver }) => {
    const actions = { silence: { hang: true }, drip: { drip: { bytes: 10, everyMs: 100 } }, late: { delayMs: 3300 }, early: { delayMs: 2500 } };
    const hooks = {};
    for (const [name, action] of Object.entries(actions)) {
      const to = receiver.endpoint(`/${name}`);
      hooks[name] = await daemon.activeWebhook(to);
      to.onEvent = action;
    }
    const before = await daemon.now();
    const published = await daemon.publish(event());
    const began = performance.now();
    await until(async () => (await daemon.deliveries({ state: 'in_flight' })).length === 4, 1000, 'four deliveries in flight');
    assert.equal(Date.parse((await daemon.settle()).now), before, 'the virtual clock stands still meanwhile');
    const took = performance.now() - began;
    assert.ok(took > 2700 && took < 3600, `settled after ${took.toFixed()} ms, expected about 3,000`);
    for (const [name, webhook] of Object.entries(hooks)) {
      const delivery = await daemon.deliveryOf(published, webhook);
      const [attempt] = delivery.attempts;
      if (name === 'early') {
        assert.equal(delivery.state, 'delivered', JSON.stringify(delivery));
        assert.ok(attempt.duration_ms >= 2450 && attempt.duration_ms < 3000, `duration_ms is real: ${attempt.duration_ms}`);
      } else {
        assert.deepEqual([name, delivery.state, attempt.reason], [name, 'pending', 'timeout']);
        assert.ok(attempt.duration_ms >= 2950 && attempt.duration_ms <= 3200, `${name}: duration_ms ${attempt.duration_ms}`);
        assert.equal(Date.parse(delivery.next_attempt_at), before + 30000, 'an attempt ends at the virtual instant at which it began');
      }
    }
  });

  inWorld('an attempt records its start, duration, status or reason, and the first 4 KiB of the answer', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.onEvent = { status: 500, body: `start ${'x'.repeat(10000)} end` };
    const published = await daemon.publish(event());
    const { now } = await daemon.settle();
    to.onEvent = { body: 'done' };
    await daemon.advance(30000);
    const { attempts } = await daemon.deliveryOf(published, webhook);
    assert.deepEqual(attempts.map((a) => a.n), [1, 2]);
    assert.deepEqual(attempts.map((a) => a.http_status), [500, 200]);
    assert.deepEqual(attempts.map((a) => Date.parse(a.started_at) - Date.parse(now)), [0, 30000]);
    for (const a of attempts) assert.ok(Number.isInteger(a.duration_ms) && a.duration_ms >= 0 && a.duration_ms < 3000, JSON.stringify(a).slice(0, 200));
    assert.equal(attempts[0].response_body, `start ${'x'.repeat(4096 - 6)}`);
    assert.equal(attempts[1].response_body, 'done');
  });
});

describe('many at once', () => {
  inWorld('at most 32 attempts are in flight to one webhook, several are, and none is lost', async ({ daemon, receiver, to }) => {
    const webhook = await daemon.activeWebhook(to);
    const other = receiver.endpoint('/other');
    await daemon.activeWebhook(other, { event_types: ['tag_created'] });
    to.onEvent = { hold: true };
    const published = await daemon.publishAll(events(100));
    await to.waitHeld(32);
    await daemon.publish(event('tag_created'));
    await other.waitEvents(1, 1000);
    const shown = await daemon.deliveries({ webhook: webhook.id });
    assert.equal(shown.filter((d) => d.state === 'in_flight').length, 32, 'shown as in_flight');
    assert.equal(shown.filter((d) => d.state === 'pending').length, 68);
    assert.equal(to.events().length, 32, 'the 33rd waits');
    to.release(1);
    await to.waitEvents(33);
    to.heal();
    to.release();
    await to.waitEvents(100);
    await daemon.settle();
    assert.equal(to.openMax, 32);
    assert.equal((await daemon.deliveries({ webhook: webhook.id, state: 'delivered' })).length, 100);
    for (const e of published) assert.equal(to.of(e).length, 1);
    to.assertSigned();
  });

  inWorld('one attempt at a time (in_flight_per_webhook_max=1) arrives exactly in the order of acceptance', { set: { in_flight_per_webhook_max: 1 } }, async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    const published = [];
    for (let n = 0; n < 20; n++) {
      published.push(...(n % 2 ? await daemon.publishAll(events(9)) : [await daemon.publish(event())]));
    }
    await daemon.settle();
    assert.equal(to.openMax, 1);
    assert.deepEqual(to.events().map((r) => r.eventKey), published.map((e) => e.id.split(':event/')[1]));
  });

  inWorld('first attempts start in the order of acceptance, several in flight (real clock)', { clock: 'real' }, async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    to.onEvent = { delayMs: 5 };
    const published = [];
    for (let n = 0; n < 10; n++) published.push(...(await daemon.publishAll(events(50))));
    await to.waitEvents(500, 10000);
    const starts = published.map((e) => to.of(e)[0].micros);
    const late = starts.findIndex((start, n) => n > 0 && start < starts[n - 1]);
    assert.equal(late, -1, `event ${late} started at ${starts[late]}, the one before it at ${starts[late - 1]}`);
    assert.ok(to.openMax > 1 && to.openMax <= 32, `${to.openMax} in flight at once`);
    await until(async () => (await daemon.deliveries({ state: 'delivered' })).length === 500, 5000, '500 delivered');
  });

  inWorld('a webhook that never answers does not delay another', async ({ daemon, to, t }) => {
    const apart = await startReceiver();
    t.after(() => apart.close());
    const dead = apart.endpoint('/dead');
    await daemon.activeWebhook(dead);
    await daemon.activeWebhook(to);
    dead.onEvent = { hold: true };
    const began = performance.now();
    await daemon.publishAll(events(200));
    await to.waitEvents(200, 2000);
    assert.ok(performance.now() - began < 2000);
    await dead.waitHeld(32);
    assert.equal(dead.events().length, 32);
    dead.heal();
    dead.release();
    await dead.waitEvents(200);
  });
});

describe('deliveries.redeliver', () => {
  inWorld('is one more attempt at once, recorded as such, outside of the schedule', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break();
    const published = await daemon.publish(event());
    await daemon.settle();
    await daemon.advance(210000);
    const { id } = await daemon.deliveryOf(published, webhook);
    assert.equal((await daemon.delivery(id)).state, 'failed');

    const res = await daemon.call('deliveries.redeliver', { id });
    assert.ok([200, 202].includes(res.status), `${res.status} ${res.text}`);
    assert.equal(res.body.delivery.id, id);
    await daemon.settle();
    let delivery = await daemon.delivery(id);
    assert.equal(to.events().length, 4, 'one POST');
    assert.deepEqual([delivery.state, delivery.reason, delivery.attempts.length], ['failed', 'attempts_exhausted', 4], 'its old end stands');
    assert.deepEqual(delivery.attempts.map((a) => a.redelivery === true), [false, false, false, true]);
    await daemon.advance(24 * 3600 * 1000);
    assert.equal(to.events().length, 4, 'no retry of a redelivery');

    to.heal();
    await daemon.ok('deliveries.redeliver', { id });
    await daemon.settle();
    delivery = await daemon.delivery(id);
    assert.deepEqual([delivery.state, delivery.attempts.length], ['delivered', 5]);
    assert.ok(noReason(delivery), JSON.stringify(delivery));
    assert.equal(new Set(to.events().map((r) => r.id)).size, 1, 'the same event id');
    to.assertSigned();

    await daemon.ok('deliveries.redeliver', { id });
    await daemon.settle();
    assert.equal(to.events().length, 6, 'a delivered one can be sent again');
    assert.equal((await daemon.delivery(id)).state, 'delivered');
  });

  inWorld('a redelivery that fails does not take "delivered" away', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    const published = await daemon.publish(event());
    await daemon.settle();
    to.break();
    const { id } = await daemon.deliveryOf(published, webhook);
    await daemon.ok('deliveries.redeliver', { id });
    await daemon.settle();
    const delivery = await daemon.delivery(id);
    assert.deepEqual([delivery.state, delivery.attempts.map((a) => a.http_status)], ['delivered', [200, 500]]);
  });

  inWorld('of one that is still open is 409 conflict; of one whose webhook is not active, 400 bad_request', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.break();
    const published = await daemon.publish(event());
    await daemon.settle();
    const { id } = await daemon.deliveryOf(published, webhook);
    assertError(await daemon.call('deliveries.redeliver', { id }), 409, 'conflict');
    await daemon.advance(210000);
    await daemon.update(webhook.id, { action: 'deactivate' });
    assertError(await daemon.call('deliveries.redeliver', { id }), 400, 'bad_request');
    await daemon.settle();
    assert.equal(to.events().length, 3, 'nothing was sent');
    await daemon.update(webhook.id, { action: 'activate' });
    await daemon.ok('deliveries.redeliver', { id });
    await daemon.settle();
    assert.equal(to.events().length, 4);
  });

  inWorld('refuses bad ids', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    assertError(await daemon.call('deliveries.redeliver', {}), 400, 'missing_required_field', { field_name: 'id' });
    assertError(await daemon.call('deliveries.redeliver', { id: 'x' }), 400, 'invalid_id', { field_name: 'id' });
    assertError(await daemon.call('deliveries.redeliver', { id: webhook.id }), 400, 'unexpected_id_type', { field_name: 'id', value: /^/, allowed_types: ['delivery'] });
    assertError(await daemon.call('deliveries.redeliver', { id: `${webhook.id}:delivery/zzzzzzzzzzz` }), 404, 'not_found');
  });
});

async function webhookOf(daemon) {
  return (await daemon.ok('webhooks.list', {})).webhooks[0];
}
