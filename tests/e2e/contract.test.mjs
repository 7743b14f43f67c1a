// Corners of DevRev's contract that belong to no single call: the headers of its clients, the prefix /internal/,
// query strings in every spelling, sizes, and what happens to a webhook's headers on the wire.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startDaemon } from './lib/daemon.mjs';
import { assertError, REASON } from './lib/errors.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { event, UNKNOWN_WEBHOOK } from './lib/shapes.mjs';
import { inWorld, proves, tearDown } from './lib/suite.mjs';

const SDK_HEADERS = {
  Accept: 'application/json, text/plain, */*',
  'Accept-Encoding': 'gzip, compress, deflate, br',
  'User-Agent': 'axios/1.7.7',
  'X-Devrev-Client-Platform': 'typescript-sdk',
  'X-Devrev-Scope': 'beta',
  'X-Devrev-Version': '2022-10-20',
};

let daemon;
let receiver;

before(async () => {
  receiver = await startReceiver();
  daemon = await startDaemon();
});

after(() => tearDown(daemon, receiver));

const idle = (fields = {}) => daemon.createWebhook({ url: 'http://127.0.0.1:1/', ...fields });

describe('headers of clients', () => {
  proves('a whole life with the SDK\'s headers and a bare token, answered without compression and as JSON', async () => {
    const call = async (name, body, options = {}) => {
      const res = await daemon.call(name, body, { token: null, ...options, headers: { ...SDK_HEADERS, Authorization: daemon.token } });
      assert.equal(res.headers['content-encoding'], undefined, name);
      assert.equal(res.headers['content-type'], 'application/json', name);
      assert.equal(res.headers['content-length'], String(Buffer.byteLength(res.text)), name);
      return res;
    };
    const created = await call('webhooks.create', { url: 'http://127.0.0.1:1/', headers: [{ name: 'x-a', value: '1'.repeat(4096) }] });
    assert.equal(created.status, 201);
    const { id } = created.body.webhook;
    assert.deepEqual((await call(`webhooks.get?id=${encodeURIComponent(id)}`, undefined, { method: 'GET' })).body.webhook.id, id);
    for (const [name, body, status] of [['webhooks.get', { id }, 200], ['webhooks.list', {}, 200], ['webhooks.update', { id, action: 'deactivate' }, 200], ['webhooks.delete', { id }, 200], ['webhooks.get', { id }, 404], ['webhooks.get', {}, 400]]) {
      const res = await call(name, body);
      assert.equal(res.status, status, `${name}: ${res.text}`);
    }
  });

  proves('a version that is not known is refused by every call: after the token, before the content type', async () => {
    const headers = { 'x-devrev-version': '2030-01-01', 'Content-Type': 'text/plain' };
    for (const name of ['webhooks.create', 'webhooks.get', 'webhooks.list', 'webhooks.update', 'webhooks.delete', 'events.publish', 'events.list', 'deliveries.list', '/internal/webhooks.list']) {
      assertError(await daemon.call(name, '{', { headers }), 400, 'invalid_api_version', { value: '2030-01-01' }, name);
      assertError(await daemon.call(name, '{', { headers, token: 'wrong' }), 401, 'unauthenticated', {}, name);
    }
    for (const version of ['', '2022-10-2', '2022-10-200', 'latest']) {
      assertError(await daemon.call('webhooks.list', {}, { headers: { 'X-DevRev-Version': version } }), 400, 'invalid_api_version', { value: version });
    }
  });

  proves('blanks around the value of a header do not belong to it', async () => {
    const headers = { 'X-DevRev-Version': ' 2022-10-20 \t', Authorization: ` Bearer ${daemon.token} `, 'Content-Type': '\tapplication/json ' };
    assert.equal((await daemon.call('webhooks.list', {}, { token: null, headers })).status, 200);
    const key = (text) => daemon.call('events.publish', event(), { headers: { 'Idempotency-Key': text } });
    const [one, two] = [await key('a key'), await key(' a key\t')];
    assert.deepEqual([two.status, two.body, two.headers['idempotent-replayed']], [one.status, one.body, 'true']);
  });

  proves('under /internal/ the same is checked: methods, token, body', async () => {
    const wrong = await daemon.call('/internal/webhooks.create', undefined, { method: 'GET' });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.allow, 'POST');
    assert.deepEqual(wrong.body, { message: 'method not allowed' });
    assertError(await daemon.call('/internal/webhooks.list', {}, { token: null }), 401, 'unauthenticated');
    assertError(await daemon.call('/internal/webhooks.create', { name: 'x' }), 400, 'invalid_field', { field_name: 'name' });
    const { id } = await idle();
    assert.equal((await daemon.get(`/internal/webhooks.get?id=${encodeURIComponent(id)}`)).body.webhook.id, id);
    assert.equal((await daemon.ok('/internal/webhooks.update', { id, action: 'deactivate' })).webhook.status, 'inactive');
  });
});

describe('query strings', () => {
  const lists = [
    ['?', 200], ['?&&', 200], ['?&status=active&', 200], ['?status=active&status=active', 200], ['?status=%61ctive', 200], ['?st%61tus=active', 200],
    ['?status=', 200], ['?status', 200], ['?status[]=', 200], ['?status=active,', 400], ['?status=%22%22', 400], ['?status=%22active', 400], ['?status=Active', 400], ['?status=active+', 400], ["?status='active'", 400], ['?status=[%22active%22]', 400],
    ['?status=%zz', 400], ['?status=%', 400], ['?status=%4', 400], ['?status=%ff', 400], ['?%ff=1', 400], ['?limit=1', 400], ['?=1', 400], ['?status%5B0%5D=active', 400], ['?Status=active', 400],
  ];
  proves(`${lists.length} spellings of a list's query: an answer or a 400 that names the field`, async () => {
    for (const [query, status] of lists) {
      const res = await daemon.get(`webhooks.list${query}`);
      assert.equal(res.status, status, `${query}: ${res.status} ${res.text.slice(0, 300)}`);
      if (status === 400) {
        assert.ok(['invalid_enum_value', 'invalid_field', 'value_not_permitted'].includes(res.body.type), `${query}: ${res.text}`);
        assert.equal(typeof res.body.field_name, 'string', `${query}: ${res.text}`);
      }
    }
  });

  proves('an id in every spelling; twice, or broken, it is refused', async () => {
    const { id } = await idle();
    for (const spelled of [id, encodeURIComponent(id), id.replaceAll('/', '%2F'), id.replaceAll('/', '%2f'), id.replaceAll(':', '%3A'), [...id].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')]) {
      const res = await daemon.get(`webhooks.get?id=${spelled}`);
      assert.equal(res.status, 200, `${spelled}: ${res.text}`);
      assert.equal(res.body.webhook.id, id);
    }
    assertError(await daemon.get(`webhooks.get?id=${id}&id=${id}`), 400, 'value_not_permitted', { field_name: 'id', reason: REASON });
    assertError(await daemon.get(`webhooks.get?id=${id}%`), 400, 'value_not_permitted', { field_name: 'id', reason: REASON });
    assertError(await daemon.get(`webhooks.get?id=%22${id}%22`), 400, 'invalid_id', { field_name: 'id' });
    assertError(await daemon.get(`webhooks.get?id=${id}+`), 400, 'invalid_id', { field_name: 'id' });
    assertError(await daemon.get(`webhooks.get?id[]=${id}`), 400, 'invalid_field', { field_name: 'id[]' });
  });

  proves('the query of a POST is not looked at', async () => {
    assert.equal((await daemon.call('webhooks.list?limit=1', {})).status, 200);
  });
});

describe('sizes', () => {
  const LIMIT = 1048576;
  const padded = (body, bytes) => {
    const text = JSON.stringify(body);
    return text.slice(0, -1) + ' '.repeat(bytes - text.length) + '}';
  };
  for (const name of ['webhooks.create', 'webhooks.get', 'webhooks.list', 'webhooks.update', 'webhooks.delete', 'events.list', 'events.sample', 'deliveries.get', 'deliveries.redeliver']) {
    proves(`a body of 1 MiB is read by ${name}, one byte more is 413`, async () => {
      const whole = await daemon.call(name, padded({ bogus: 1 }, LIMIT));
      assertError(whole, 400, 'invalid_field', { field_name: 'bogus' });
      assertError(await daemon.call(name, padded({ bogus: 1 }, LIMIT + 1)), 413, 'request_entity_too_large', { max_bytes: LIMIT });
    });
  }
});

describe('headers of webhooks', () => {
  for (const name of ['keep-alive', 'TE', 'Trailer', 'Upgrade', 'Proxy-Connection', 'Expect']) {
    proves(`${name} is refused: it belongs to the connection`, async () => {
      assertError(await daemon.call('webhooks.create', { url: 'http://127.0.0.1:1/', headers: [{ name, value: 'x' }] }), 400, 'value_not_permitted', { field_name: 'headers[0].name', reason: REASON });
    });
  }

  proves('names of 128 and values of 4096 bytes are taken, one byte more is refused', async () => {
    const name = 'n'.repeat(128);
    const value = 'v'.repeat(4096);
    assert.deepEqual((await idle({ headers: [{ name, value }] })).headers, [{ name, value }]);
    const refused = async (header, field) => assertError(await daemon.call('webhooks.create', { url: 'http://127.0.0.1:1/', headers: [header] }), 400, 'value_not_permitted', { field_name: field, reason: REASON });
    await refused({ name: `${name}n`, value }, 'headers[0].name');
    await refused({ name, value: `${value}v` }, 'headers[0].value');
    await refused({ name: 'x', value: 'a\u007fb' }, 'headers[0].value');
  });

  proves('of names that are equal but for case the last counts, in create, too', async () => {
    const { headers } = await idle({ headers: [{ name: 'X-A', value: '1' }, { name: 'x-b', value: '2' }, { name: 'x-a', value: '3' }] });
    assert.deepEqual(headers, [{ name: 'x-a', value: '3' }, { name: 'x-b', value: '2' }]);
  });

  inWorld('arrive as they were given: case of the name, empty value, UTF-8, spaces inside, names that the service sets itself', async ({ daemon: own, to }) => {
    const headers = [
      { name: 'X-CamelCase_1', value: 'a  b\tc' },
      { name: 'x-empty', value: '' },
      { name: 'x-text', value: 'zażółć 😀' },
      { name: 'User-Agent', value: 'mine/1' },
      { name: 'Accept', value: 'application/json' },
      { name: 'Cookie', value: 'a=b' },
    ];
    await own.activeWebhook(to, { headers });
    await own.publish(event());
    await own.settle();
    assert.equal(to.requests.length, 2, 'the verify request and the event');
    for (const { rawHeaders } of to.requests) {
      for (const { name, value } of headers) {
        const at = rawHeaders.flatMap((seen, i) => (i % 2 === 0 && seen.toLowerCase() === name.toLowerCase() ? [i] : []));
        assert.equal(at.length, 1, `${name} once: ${rawHeaders.join(' | ')}`);
        assert.equal(rawHeaders[at[0]], name);
        assert.equal(Buffer.from(rawHeaders[at[0] + 1], 'latin1').toString('utf8'), value, name);
      }
    }
  });

  inWorld('changed ones hold for what is already queued', async ({ daemon: own, to }) => {
    const { id } = await own.activeWebhook(to, { headers: [{ name: 'x-key', value: 'old' }, { name: 'x-gone', value: '1' }] });
    to.onEvent = { status: 500 };
    await own.publish(event());
    await own.settle();
    await own.update(id, { headers: { add: [{ name: 'x-key', value: 'new' }], remove: ['X-Gone'] } });
    await own.advance(30000);
    assert.deepEqual(to.events().map((r) => [r.headers['x-key'], r.headers['x-gone']]), [['old', '1'], ['new', undefined]]);
  });
});

describe('answers', () => {
  proves('webhooks.delete answers {} and nothing more; a webhook that never was, or is deleted, is the same 404', async () => {
    const { id } = await idle();
    assert.equal((await daemon.call('webhooks.delete', { id })).text, '{}');
    const [never, gone] = [await daemon.call('webhooks.get', { id: UNKNOWN_WEBHOOK }), await daemon.call('webhooks.get', { id })];
    assert.equal(never.text, gone.text);
    assert.equal(never.text, '{"message":"Not Found","type":"not_found"}');
  });
});
