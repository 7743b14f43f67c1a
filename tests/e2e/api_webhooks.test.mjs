// webhooks.create, get, list, update, delete: the shapes of the answers, every field's good and bad input, the order
// of the checks, and the rules of update.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startDaemon } from './lib/daemon.mjs';
import { assertError, REASON } from './lib/errors.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { event, EVENT_TYPES, RFC3339, UNKNOWN_WEBHOOK, WEBHOOK_ID } from './lib/shapes.mjs';
import { proves, tearDown } from './lib/suite.mjs';

let daemon;
let receiver;
let paths = 0;

/** A fresh endpoint, so that tests which share the receiver do not see each other's requests. */
const endpoint = () => receiver.endpoint(`/hook-${++paths}`);

/** A webhook whose target refuses connections at once: it stays unverified and disturbs nobody. */
const idle = (fields = {}) => daemon.createWebhook({ url: 'http://127.0.0.1:1/', ...fields });

before(async () => {
  receiver = await startReceiver();
  daemon = await startDaemon();
});

after(() => tearDown(daemon, receiver));

describe('webhooks.create', () => {
  proves('answers 201 with the whole webhook, unverified', async () => {
    const to = endpoint();
    const res = await daemon.call('webhooks.create', {
      url: to.url,
      event_types: ['work_created', 'tag_deleted'],
      secret: 'MTIzNDU2Nzg5MGFiY2RlZg==',
      headers: [{ name: 'x-api-key', value: 'k1' }],
    });
    assert.equal(res.status, 201, res.text);
    assert.match(res.headers['content-type'], /^application\/json/);
    assert.deepEqual(Object.keys(res.body), ['webhook']);
    const { webhook } = res.body;
    const members = ['created_by', 'created_date', 'display_id', 'id', 'modified_by', 'modified_date', 'event_types', 'headers', 'secret', 'status', 'url', 'health'];
    assert.deepEqual(Object.keys(webhook), members, 'DevRev\'s order, then what is ours');
    for (const user of [webhook.created_by, webhook.modified_by]) assert.deepEqual(Object.keys(user), ['type', 'display_name', 'id']);
    assert.match(webhook.id, WEBHOOK_ID);
    assert.equal(webhook.display_id, `webhook-${webhook.id.split('/').pop()}`);
    assert.equal(webhook.url, to.url);
    assert.equal(webhook.status, 'unverified', 'the 201 is written before any verify');
    assert.equal(webhook.secret, 'MTIzNDU2Nzg5MGFiY2RlZg==', 'a given secret is returned unchanged');
    assert.deepEqual([...webhook.event_types].sort(), ['tag_deleted', 'work_created']);
    assert.deepEqual(webhook.headers, [{ name: 'x-api-key', value: 'k1' }]);
    assert.match(webhook.created_date, RFC3339);
    assert.match(webhook.modified_date, RFC3339);
    assert.equal(webhook.health.state, 'unverified');
    to.secret = webhook.secret;
    assert.equal((await daemon.waitActive(webhook.id)).health.state, 'active');
  });

  proves('needs only a url: no event types, no headers, a generated secret of 32 letters and digits', async () => {
    const one = await idle();
    const two = await idle();
    assert.deepEqual(one.event_types, []);
    assert.equal('headers' in one, false, 'headers are left out when there are none');
    assert.match(one.secret, /^[A-Za-z0-9]{32}$/);
    assert.notEqual(one.secret, two.secret);
    assert.notEqual(one.id, two.id, 'several webhooks may share a url');
  });

  proves('subscribes to every type of the enum, verify included', async () => {
    const webhook = await idle({ event_types: EVENT_TYPES });
    assert.deepEqual([...webhook.event_types].sort(), [...EVENT_TYPES].sort());
  });

  const secrets = [
    ['8 bytes', 'secret-8'],
    ['32 bytes', 'x'.repeat(32)],
    ['plain text', 'your-webhook-secret'],
    ['base64 of 8 bytes', Buffer.alloc(8, 7).toString('base64')],
    ['base64 of 32 bytes, 44 characters long', Buffer.alloc(32, 7).toString('base64')],
    ['non-ASCII text of 10 bytes', 'ééééé'],
  ];
  for (const [what, secret] of secrets) {
    proves(`takes a secret of ${what} and returns it unchanged`, async () => {
      const webhook = await idle({ secret });
      assert.equal(webhook.secret, secret);
      assert.equal((await daemon.webhook(webhook.id)).secret, secret);
    });
  }

  const bads = [
    ['an array as body', [], 'unexpected_json_type', { actual: 'array', expected: 'object', field_name: '' }],
    ['a string as body', '"x"', 'unexpected_json_type', { actual: 'string', expected: 'object', field_name: '' }],
    ['null as body', 'null', 'unexpected_json_type', { actual: 'null', expected: 'object', field_name: '' }],
    ['no url', {}, 'missing_required_field', { field_name: 'url' }],
    ['url null', { url: null }, 'unexpected_json_type', { actual: 'null', expected: 'string', field_name: 'url' }],
    ['url a number', { url: 5 }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'url' }],
    ['url an array', { url: [] }, 'unexpected_json_type', { actual: 'array', expected: 'string', field_name: 'url' }],
    ['url an object', { url: {} }, 'unexpected_json_type', { actual: 'object', expected: 'string', field_name: 'url' }],
    ['url a bool', { url: true }, 'unexpected_json_type', { actual: 'bool', expected: 'string', field_name: 'url' }],
    ['an unknown field', { url: 'http://127.0.0.1:1/', name: 'x' }, 'invalid_field', { field_name: 'name' }],
    ['status', { url: 'http://127.0.0.1:1/', status: 'active' }, 'invalid_field', { field_name: 'status' }],
    ['event_types a string', { url: 'http://127.0.0.1:1/', event_types: 'work_created' }, 'unexpected_json_type', { actual: 'string', expected: 'array', field_name: 'event_types' }],
    ['event_types null', { url: 'http://127.0.0.1:1/', event_types: null }, 'unexpected_json_type', { actual: 'null', expected: 'array', field_name: 'event_types' }],
    ['an event type that is a number', { url: 'http://127.0.0.1:1/', event_types: ['work_created', 4] }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'event_types[1]' }],
    ['an unknown event type', { url: 'http://127.0.0.1:1/', event_types: ['work_exploded'] }, 'invalid_enum_value', { field_name: 'event_types[0]', value: 'work_exploded', allowed_values: sameAs(EVENT_TYPES) }],
    ['an event type in capitals', { url: 'http://127.0.0.1:1/', event_types: ['WORK_CREATED'] }, 'invalid_enum_value', { field_name: 'event_types[0]', value: 'WORK_CREATED', allowed_values: sameAs(EVENT_TYPES) }],
    ['secret null', { url: 'http://127.0.0.1:1/', secret: null }, 'unexpected_json_type', { actual: 'null', expected: 'string', field_name: 'secret' }],
    ['a secret of 7 bytes', { url: 'http://127.0.0.1:1/', secret: 'secret7' }, 'value_not_permitted', { field_name: 'secret', reason: REASON }],
    ['a secret of 33 bytes', { url: 'http://127.0.0.1:1/', secret: 'x'.repeat(33) }, 'value_not_permitted', { field_name: 'secret', reason: REASON }],
    ['a secret of 17 characters and 34 bytes', { url: 'http://127.0.0.1:1/', secret: 'é'.repeat(17) }, 'value_not_permitted', { field_name: 'secret', reason: REASON }],
    ['base64 of 33 bytes as secret', { url: 'http://127.0.0.1:1/', secret: Buffer.alloc(33, 7).toString('base64') }, 'value_not_permitted', { field_name: 'secret', reason: REASON }],
    ['headers an object', { url: 'http://127.0.0.1:1/', headers: { a: 'b' } }, 'unexpected_json_type', { actual: 'object', expected: 'array', field_name: 'headers' }],
    ['a header that is a string', { url: 'http://127.0.0.1:1/', headers: ['a: b'] }, 'unexpected_json_type', { actual: 'string', expected: 'object', field_name: 'headers[0]' }],
    ['a header without a name', { url: 'http://127.0.0.1:1/', headers: [{ value: 'v' }] }, 'missing_required_field', { field_name: 'headers[0].name' }],
    ['a header without a value', { url: 'http://127.0.0.1:1/', headers: [{ name: 'n' }] }, 'missing_required_field', { field_name: 'headers[0].value' }],
    ['a header with a value that is a number', { url: 'http://127.0.0.1:1/', headers: [{ name: 'n', value: 1 }] }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'headers[0].value' }],
    ['a header with an unknown field', { url: 'http://127.0.0.1:1/', headers: [{ name: 'n', value: 'v', x: 1 }] }, 'invalid_field', { field_name: 'x' }],
    ['9 headers', { url: 'http://127.0.0.1:1/', headers: numberedHeaders(9) }, 'value_not_permitted', { field_name: 'headers', reason: REASON }],
  ];
  for (const name of ['', 'a b', 'a:b', 'é', 'a\r\nb', 'a.b', 'Host', 'host', 'Content-Length', 'Content-Type', 'Transfer-Encoding', 'Connection', 'X-DevRev-Signature', 'x-devrev-signature']) {
    bads.push([
      `a header named ${JSON.stringify(name)}`,
      { url: 'http://127.0.0.1:1/', headers: [{ name, value: 'v' }] },
      'value_not_permitted',
      { field_name: 'headers[0].name', reason: REASON },
    ]);
  }
  for (const value of ['a\r\nX-Evil: 1', 'a\nb', 'a\rb', 'a\u0000b']) {
    bads.push([
      `a header value ${JSON.stringify(value)}`,
      { url: 'http://127.0.0.1:1/', headers: [{ name: 'x-ok', value }] },
      'value_not_permitted',
      { field_name: 'headers[0].value', reason: REASON },
    ]);
  }
  for (const [what, body, type, fields] of bads) {
    proves(`refuses ${what}: ${type}`, async () => {
      const before = (await daemon.ok('webhooks.list', {})).webhooks.length;
      assertError(await daemon.call('webhooks.create', body), 400, type, fields);
      const after = (await daemon.ok('webhooks.list', {})).webhooks.length;
      assert.equal(after, before, 'a refused create stores nothing');
    });
  }

  proves('takes 8 headers, names of letters, digits, - and _, and values with spaces and UTF-8', async () => {
    const headers = [...numberedHeaders(5), { name: 'Authorization', value: 'Bearer abc def' }, { name: 'x_Y-9', value: '' }, { name: 'x-text', value: 'a\tb' }];
    const webhook = await idle({ headers });
    assert.deepEqual(webhook.headers, headers);
  });
});

describe('urls', () => {
  const label = 'a'.repeat(63);
  const good = [
    'http://127.0.0.1:1/',
    'http://127.255.255.254:1/x?y=%20',
    'http://[::1]:1/',
    'HTTP://127.0.0.1:1/',
    'https://127.0.0.1:1/hook',
    'http://127.0.0.1:65535/',
    'http://0x7f000001:1/',
    'http://2130706433:1/',
    'http://127.1:1/',
    'http://localhost:1/',
    'http://[::ffff:127.0.0.1]:1/',
    `http://127.0.0.1:1/${'p'.repeat(2048 - 'http://127.0.0.1:1/'.length)}`,
  ];
  for (const url of good) {
    proves(`takes ${url.slice(0, 60)} with --dev`, async () => {
      const webhook = await daemon.createWebhook({ url });
      assert.equal(webhook.url, url, 'the url is shown as it was given');
      await daemon.remove(webhook.id);
    });
  }

  const bad = [
    '', ' ', 'not a url', 'example.com', '/path', '//example.com/', 'http://', 'http:///h', 'https://?x', 'http:example.com',
    'ftp://example.com/', 'file:///etc/passwd', 'javascript:alert(1)', 'ws://example.com/', 'gopher://example.com/',
    'http://user@example.com/', 'http://user:pw@example.com/', 'http://:pw@example.com/', 'http://@example.com/',
    'http://example.com/#frag', 'http://example.com/#',
    'http://example.com:0/', 'http://example.com:65536/', 'http://example.com:99999999999/', 'http://example.com:abc/', 'http://example.com:-1/', 'http://example.com:80:80/',
    ' http://example.com/', 'http://example.com/ ', 'http://exa mple.com/', 'http://example.com/a b',
    'http:\\\\example.com\\', 'http://example.com\\@127.0.0.1/', 'http://example.com/a\\b',
    'http://example.com/a\nb', 'http://example.com/a\r\nb', 'http://example.com/a\tb', 'http://example.com/\u0000', 'http://example.com/\u007f', 'http://example.com/\u0001',
    'http://0.0.0.0/', 'http://0/', 'http://10.0.0.1/', 'http://10.1/', 'http://167772161/', 'http://0x0a000001/', 'http://012.0.0.1/', 'http://0xa.0.0.1/',
    'http://100.64.0.1/', 'http://169.254.169.254/latest/meta-data/', 'http://2852039166/', 'http://172.16.0.1/', 'http://172.31.255.255/', 'http://192.168.0.1/',
    'http://192.0.0.1/', 'http://192.0.2.1/', 'http://198.18.0.1/', 'http://198.51.100.1/', 'http://203.0.113.1/', 'http://192.88.99.1/', 'http://168.63.129.16/',
    'http://224.0.0.1/', 'http://240.0.0.1/', 'http://255.255.255.255/',
    'http://[::]/', 'http://[fe80::1]/', 'http://[fe80::1%25eth0]/', 'http://[::1%25lo]/', 'http://[fc00::1]/', 'http://[fd12:3456::1]/', 'http://[ff02::1]/',
    'http://[::ffff:10.0.0.1]/', 'http://[::ffff:a9fe:a9fe]/', 'http://[2001:db8::1]/', 'http://[2002:a00:1::]/', 'http://[64:ff9b::7f00:1]/', 'http://[::127.0.0.1]/', 'http://[3fff::1]/',
    'http://[::1', 'http://::1/', 'http://[::1]x/', 'http://[g::1]/',
    'http://localhost./', 'http://10。0。0。1/', 'http://example。com/', 'http://%31%30.0.0.1/',
    `http://${'a'.repeat(64)}.com/`, `http://${label}.${label}.${label}.${'a'.repeat(58)}.com/`,
    `http://example.com/${'p'.repeat(2049 - 'http://example.com/'.length)}`,
  ];
  proves(`refuses ${bad.length} bad urls at create and at update, with the reason`, async () => {
    const webhook = await idle();
    const wrong = [];
    for (const url of bad) {
      for (const [call, body] of [['webhooks.create', { url }], ['webhooks.update', { id: webhook.id, url }]]) {
        const res = await daemon.call(call, body);
        try {
          assertError(res, 400, 'value_not_permitted', { field_name: 'url', reason: REASON });
        } catch (error) {
          wrong.push(`${call} ${JSON.stringify(url.slice(0, 80))}: ${res.status} ${res.text.slice(0, 160)}`);
          if (res.status === 201) await daemon.remove(res.body.webhook.id);
        }
      }
    }
    assert.deepEqual(wrong, [], `${wrong.length} bad urls were not refused as they must be`);
    assert.equal((await daemon.webhook(webhook.id)).url, webhook.url);
  });

  proves('a name of 253 bytes with labels of 63 is taken, judged only when dialled', async () => {
    const name = `${label}.${label}.${label}.${'a'.repeat(53)}.invalid`;
    assert.equal(name.length, 253);
    const other = await startDaemon();
    try {
      assert.equal((await other.createWebhook({ url: `https://${name}/` })).status, 'unverified');
    } finally {
      await other.kill();
      await other.end();
    }
  });
});

describe('without --dev', () => {
  proves('loopback targets are refused at create and update', async () => {
    const token = 'a-token-of-my-own';
    const strict = await startDaemon({ dev: false, token, env: { REVHOOK_TOKEN: token } });
    try {
      for (const url of ['http://127.0.0.1:1/', 'https://127.0.0.1:1/', 'https://[::1]:1/', 'https://127.1/', 'https://[::ffff:127.0.0.1]/']) {
        const res = await strict.call('webhooks.create', { url });
        assertError(res, 400, 'value_not_permitted', { field_name: 'url', reason: REASON }, url);
      }
      assertError(await strict.call('webhooks.list', {}, { token: 'dev-token' }), 401, 'unauthenticated');
      assert.deepEqual((await strict.ok('webhooks.list', {})).webhooks, []);
    } finally {
      await strict.end();
    }
  });
});

describe('the order of the checks', () => {
  const bearer = { Authorization: 'Bearer dev-token' };
  const json = { 'Content-Type': 'application/json' };
  const cases = [
    ['authentication before content type', { 'Content-Type': 'text/plain' }, '{', 401, 'unauthenticated', {}],
    ['content type before parsing', { ...bearer, 'Content-Type': 'text/plain' }, '{', 400, 'invalid_content_type', { value: 'text/plain' }],
    ['parsing before anything in the body', { ...bearer, ...json }, '{"bogus":1,"url":', 400, 'parse_error', {}],
    ['JSON kind before unknown fields', { ...bearer, ...json }, '{"bogus":1,"url":5}', 400, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'url' }],
    ['unknown fields before missing ones', { ...bearer, ...json }, '{"bogus":1}', 400, 'invalid_field', { field_name: 'bogus' }],
    ['missing fields before values', { ...bearer, ...json }, '{"secret":"short"}', 400, 'missing_required_field', { field_name: 'url' }],
  ];
  for (const [what, headers, body, status, type, fields] of cases) {
    proves(what, async () => {
      const res = await daemon.call('webhooks.create', body, { token: null, headers: { 'Content-Type': null, ...headers } });
      assertError(res, status, type, fields);
    });
  }
});

describe('authentication', () => {
  const good = ['Bearer dev-token', 'bearer dev-token', 'BEARER dev-token', 'dev-token'];
  for (const value of good) {
    proves(`takes "Authorization: ${value}"`, async () => {
      const res = await daemon.call('webhooks.list', {}, { token: null, headers: { Authorization: value } });
      assert.equal(res.status, 200, res.text);
    });
  }
  const bad = [null, '', 'Bearer', 'Bearer ', 'Bearer wrong', 'wrong', 'Basic ZGV2LXRva2Vu', 'Basic dev-token', 'Bearer dev-token2', 'Bearer dev-toke', 'Bearer DEV-TOKEN', 'Bearer dev-token extra'];
  for (const value of bad) {
    proves(`refuses ${value === null ? 'no Authorization' : `"Authorization: ${value}"`}: 401 unauthenticated`, async () => {
      for (const name of ['webhooks.create', 'webhooks.get', 'webhooks.list', 'webhooks.update', 'webhooks.delete', 'events.publish', 'deliveries.list']) {
        const res = await daemon.call(name, {}, { token: null, headers: { Authorization: value } });
        assertError(res, 401, 'unauthenticated', {}, name);
      }
    });
  }
});

describe('requests', () => {
  for (const type of [null, 'application/json', 'application/json; charset=utf-8', 'Application/JSON', 'application/x-www-form-urlencoded']) {
    proves(`takes a JSON body of content type ${type ?? '(none)'}`, async () => {
      const res = await daemon.call('webhooks.list', {}, { headers: { 'Content-Type': type } });
      assert.equal(res.status, 200, res.text);
    });
  }
  for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/jsonx']) {
    proves(`refuses content type ${type}: invalid_content_type`, async () => {
      const res = await daemon.call('webhooks.list', {}, { headers: { 'Content-Type': type } });
      assertError(res, 400, 'invalid_content_type', { value: type });
    });
  }
  proves('refuses application/json with an empty body: invalid_content_type', async () => {
    assertError(await daemon.call('webhooks.list', ''), 400, 'invalid_content_type', { value: /^/ });
  });

  const broken = ['{', '{"url":}', '{"url":"x",}', "{'url':'x'}", '{"url":"x"} x', '{"url":"a\nb"}', '{"url":"\\x41"}', '{"url":01}', '{"url":+1}', '{"url":.5}', '{"url":NaN}', '{"url":"\\ud800"}', '{"url":"x","url":"y"}', '\ufeff{}', '{"a":tru}', '[1,]', Buffer.from('{"url":"\xff\xfe"}', 'latin1'), Buffer.from('{"url":"\xc0\xaf"}', 'latin1'), `{"url":${'['.repeat(100)}${']'.repeat(100)}}`];
  proves(`refuses ${broken.length} bodies that are not JSON: parse_error`, async () => {
    for (const body of broken) {
      assertError(await daemon.call('webhooks.create', body), 400, 'parse_error', {}, String(body).slice(0, 60));
    }
  });

  proves('an unknown path is 404 "route not found" without a type', async () => {
    for (const path of ['/webhooks.event', '/webhooks.nothing', '/', '/webhooks', '/webhooks.create/', '/webhooks.createx', '/internal/', '/internal/nothing', '/internal/internal/webhooks.list', '/../etc/passwd', '/%00']) {
      const res = await daemon.call(path, {});
      assert.equal(res.status, 404, `${path}: ${res.status} ${res.text}`);
      assert.deepEqual(res.body, { message: 'route not found' }, path);
      assert.match(res.headers['content-type'], /^application\/json/);
    }
  });

  const allowed = { 'webhooks.create': ['POST'], 'webhooks.update': ['POST'], 'webhooks.delete': ['POST'], 'webhooks.get': ['GET', 'POST'], 'webhooks.list': ['GET', 'POST'], 'events.publish': ['POST'], 'deliveries.redeliver': ['POST'] };
  for (const [name, methods] of Object.entries(allowed)) {
    proves(`a wrong method on ${name} is 405 with Allow: ${methods.join(', ')}`, async () => {
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'].filter((m) => !methods.includes(m))) {
        const res = await daemon.call(name, undefined, { method });
        assert.equal(res.status, 405, `${method}: ${res.status} ${res.text}`);
        assert.deepEqual(res.body, { message: 'method not allowed' });
        const allow = (res.headers.allow ?? '').split(/\s*,\s*/).filter((m) => m !== 'HEAD' && m !== 'OPTIONS');
        assert.deepEqual(allow.sort(), methods, `Allow: ${res.headers.allow}`);
      }
    });
  }

  proves('the same handlers answer under /internal/', async () => {
    const { webhook } = await daemon.ok('/internal/webhooks.create', { url: 'http://127.0.0.1:1/', headers: [{ name: 'a', value: 'b' }] }, { status: 201 });
    assert.equal((await daemon.ok('/internal/webhooks.get', { id: webhook.id })).webhook.id, webhook.id);
    assert.deepEqual(await daemon.ok('/internal/webhooks.delete', { id: webhook.id }), {});
  });

  for (const version of ['2022-10-20', '2024-01-24']) {
    proves(`takes X-Devrev-Version ${version} and the SDK's other headers`, async () => {
      const headers = { 'X-Devrev-Version': version, 'X-Devrev-Scope': 'beta', 'X-Devrev-Client-Platform': 'Typescript-SDK', Accept: 'application/json, text/plain, */*', 'Accept-Encoding': 'gzip, compress, deflate, br' };
      const res = await daemon.call('webhooks.list', {}, { headers });
      assert.equal(res.status, 200, res.text);
      assert.ok(['identity', undefined].includes(res.headers['content-encoding']), 'answered without compression');
    });
  }
  proves('refuses another X-Devrev-Version: invalid_api_version', async () => {
    const res = await daemon.call('webhooks.list', {}, { headers: { 'X-Devrev-Version': '1999-01-01' } });
    assertError(res, 400, 'invalid_api_version', { value: '1999-01-01' });
  });
});

describe('ids', () => {
  const malformed = ['', 'x', '1', 'webhook-1', 'don:', 'don:integration:dvrv-us-1:devo/dev0:webhook', 'don:integration:dvrv-us-1:devo/dev0:webhook/', 'don:integration:dvrv-us-1:devo/dev0/webhook/zzzzzzzz', 'DON:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz', ' don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz', 'don:integration:dvrv-us-1:devo/dev0:webhook/zz zz', 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzz\u0000', "don:integration:dvrv-us-1:devo/dev0:webhook/'; drop table webhook; --"];
  const otherTypes = ['don:core:dvrv-us-1:devo/dev0:issue/1', 'don:identity:dvrv-us-1:devo/dev0:devu/1', `${UNKNOWN_WEBHOOK}:event/abcdefghijk`, 'don:integration:dvrv-us-1:devo/dev0:event/abcdefghijk'];
  const unknown = [UNKNOWN_WEBHOOK, 'don:integration:dvrv-us-1:devo/other0:webhook/zzzzzzzz', 'don:integration:dvrv-eu-1:devo/dev0:webhook/zzzzzzzz'];
  for (const name of ['webhooks.get', 'webhooks.update', 'webhooks.delete']) {
    proves(`${name}: no id, ids of the wrong kind, malformed, of another type, unknown`, async () => {
      assertError(await daemon.call(name, {}), 400, 'missing_required_field', { field_name: 'id' });
      for (const [id, actual] of [[1, 'number'], [null, 'null'], [['x'], 'array'], [{}, 'object'], [false, 'bool']]) {
        assertError(await daemon.call(name, { id }), 400, 'unexpected_json_type', { actual, expected: 'string', field_name: 'id' });
      }
      for (const id of malformed) {
        assertError(await daemon.call(name, { id }), 400, 'invalid_id', { field_name: 'id' }, JSON.stringify(id));
      }
      for (const id of otherTypes) {
        assertError(await daemon.call(name, { id }), 400, 'unexpected_id_type', { field_name: 'id', value: /^/, allowed_types: ['webhook'] }, id);
      }
      for (const id of unknown) {
        assertError(await daemon.call(name, { id }), 404, 'not_found', {}, id);
      }
    });
  }
});

describe('webhooks.get and list', () => {
  proves('get answers the same by POST and by GET, in every encoding of the id', async () => {
    const webhook = await idle({ event_types: ['tag_created'], headers: [{ name: 'a', value: 'b' }] });
    await daemon.settle();
    const byPost = await daemon.webhook(webhook.id);
    assert.deepEqual(Object.keys(await daemon.ok('webhooks.get', { id: webhook.id })), ['webhook']);
    for (const encoded of [encodeURIComponent(webhook.id), webhook.id.replaceAll('/', '%2F'), webhook.id]) {
      const res = await daemon.get(`webhooks.get?id=${encoded}`);
      assert.equal(res.status, 200, `${encoded}: ${res.text}`);
      assert.deepEqual(res.body.webhook, byPost, encoded);
    }
  });

  proves('get by GET refuses what get by POST refuses', async () => {
    assertError(await daemon.get('webhooks.get'), 400, 'missing_required_field', { field_name: 'id' });
    assertError(await daemon.get('webhooks.get?id='), 400, 'invalid_id', { field_name: 'id' });
    assertError(await daemon.get('webhooks.get?id=x'), 400, 'invalid_id', { field_name: 'id' });
    assertError(await daemon.get(`webhooks.get?id=${UNKNOWN_WEBHOOK}`), 404, 'not_found');
    assertError(await daemon.get(`webhooks.get?id=${UNKNOWN_WEBHOOK}&limit=1`), 400, 'invalid_field', { field_name: 'limit' });
  });

  proves('list filters by status in every encoding that the SDK and the OpenAPI style send', async () => {
    const own = await startDaemon();
    try {
      const to = receiver.endpoint('/list');
      const active = (await own.activeWebhook(to)).id;
      const unverified = (await own.createWebhook({ url: 'http://127.0.0.1:1/' })).id;
      const inactive = (await own.createWebhook({ url: 'http://127.0.0.1:1/' })).id;
      await own.update(inactive, { action: 'deactivate' });
      const all = [active, unverified, inactive];
      const cases = [
        ['', all],
        ['?status=active', [active]],
        ['?status=%22active%22', [active]],
        ['?status=%22active%22,%22unverified%22', [active, unverified]],
        ['?status=%22active%22%2C%22unverified%22', [active, unverified]],
        ['?status=active,unverified', [active, unverified]],
        ['?status=active&status=inactive', [active, inactive]],
        ['?status%5B%5D=active&status%5B%5D=unverified', [active, unverified]],
        ['?status[]=active&status[]=unverified', [active, unverified]],
        ['?status=active,unverified,inactive', all],
        ['?status=', all],
        ['?status%5B%5D=', all],
        ['?status=&status=inactive', [inactive]],
      ];
      for (const [query, expected] of cases) {
        const res = await own.get(`webhooks.list${query}`);
        assert.equal(res.status, 200, `${query}: ${res.text}`);
        assert.deepEqual(Object.keys(res.body), ['webhooks']);
        assert.deepEqual(res.body.webhooks.map((w) => w.id).sort(), [...expected].sort(), query);
      }
      for (const [status, expected] of [[['active'], [active]], [['inactive', 'unverified'], [inactive, unverified]], [[], all], [undefined, all]]) {
        const { webhooks } = await own.ok('webhooks.list', status ? { status } : {});
        assert.deepEqual(webhooks.map((w) => w.id).sort(), [...expected].sort(), JSON.stringify(status));
      }
      const { webhooks } = await own.ok('webhooks.list', {});
      for (const webhook of webhooks) assert.deepEqual(webhook, await own.webhook(webhook.id), 'list shows what get shows');
    } finally {
      await own.end();
    }
  });

  const badLists = [
    [{ limit: 1 }, 'invalid_field', { field_name: 'limit' }],
    [{ cursor: 'x' }, 'invalid_field', { field_name: 'cursor' }],
    [{ id: 'x' }, 'invalid_field', { field_name: 'id' }],
    [{ status: 'active' }, 'unexpected_json_type', { actual: 'string', expected: 'array', field_name: 'status' }],
    [{ status: [1] }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'status[0]' }],
    [{ status: ['broken'] }, 'invalid_enum_value', { field_name: 'status[0]', value: 'broken', allowed_values: sameAs(['active', 'inactive', 'unverified']) }],
  ];
  for (const [body, type, fields] of badLists) {
    proves(`list refuses ${JSON.stringify(body)}: ${type}`, async () => {
      assertError(await daemon.call('webhooks.list', body), 400, type, fields);
    });
  }
  proves('list by GET refuses an unknown query field and an unknown status', async () => {
    assertError(await daemon.get('webhooks.list?name=x'), 400, 'invalid_field', { field_name: 'name' });
    assertError(await daemon.get('webhooks.list?status=broken'), 400, 'invalid_enum_value', { field_name: 'status[0]', value: 'broken', allowed_values: sameAs(['active', 'inactive', 'unverified']) });
  });
});

describe('webhooks.update', () => {
  proves('an update without changes changes nothing, not even modified_date', async () => {
    const webhook = await idle({ event_types: ['tag_created'], headers: [{ name: 'a', value: 'b' }, { name: 'c', value: 'd' }] });
    await daemon.settle();
    const before = await daemon.webhook(webhook.id);
    await daemon.advance(1000);
    for (const fields of [{}, { event_types: {} }, { headers: {} }, { headers: { add: [{ name: 'a', value: 'b' }] } }, { headers: { set: [{ name: 'a', value: 'b' }, { name: 'c', value: 'd' }] } }, { event_types: { add: ['tag_created'] } }, { event_types: { remove: ['tag_deleted'] } }, { headers: { remove: ['nope'] } }]) {
      await daemon.update(webhook.id, fields);
      const { health: _, ...shown } = await daemon.webhook(webhook.id);
      const { health: __, ...expected } = before;
      assert.deepEqual(shown, expected, JSON.stringify(fields));
    }
    await daemon.update(webhook.id, { event_types: { add: ['tag_updated'] } });
    const after = await daemon.webhook(webhook.id);
    assert.ok(after.modified_date > before.modified_date, `modified_date moves: ${before.modified_date} -> ${after.modified_date}`);
    assert.equal(after.created_date, before.created_date);
  });

  const types = [
    [{ add: ['tag_updated'] }, ['tag_created', 'tag_deleted', 'tag_updated']],
    [{ add: ['tag_created'] }, ['tag_created', 'tag_deleted']],
    [{ remove: ['tag_created'] }, ['tag_deleted']],
    [{ remove: ['work_created'] }, ['tag_created', 'tag_deleted']],
    [{ add: ['work_created'], remove: ['work_created', 'tag_created'] }, ['tag_deleted']],
    [{ set: ['work_created'] }, ['work_created']],
    [{ set: [] }, []],
    [{ add: [], remove: [] }, ['tag_created', 'tag_deleted']],
  ];
  for (const [change, expected] of types) {
    proves(`event_types ${JSON.stringify(change)} gives ${JSON.stringify(expected)}`, async () => {
      const webhook = await idle({ event_types: ['tag_created', 'tag_deleted'] });
      const answered = await daemon.update(webhook.id, { event_types: change });
      assert.deepEqual([...answered.event_types].sort(), expected);
      assert.deepEqual([...(await daemon.webhook(webhook.id)).event_types].sort(), expected);
    });
  }

  const headers = [
    [{ add: [{ name: 'c', value: '3' }] }, { a: '1', b: '2', c: '3' }],
    [{ add: [{ name: 'A', value: '9' }] }, { a: '9', b: '2' }],
    [{ remove: ['A'] }, { b: '2' }],
    [{ remove: ['nope'] }, { a: '1', b: '2' }],
    [{ set: [{ name: 'z', value: '0' }] }, { z: '0' }],
    [{ set: [] }, {}],
    [{ set: [{ name: 'z', value: '0' }], add: [{ name: 'y', value: '1' }], remove: ['z'] }, { y: '1' }],
  ];
  for (const [change, expected] of headers) {
    proves(`headers ${JSON.stringify(change)} gives ${JSON.stringify(expected)}`, async () => {
      const webhook = await idle({ headers: [{ name: 'a', value: '1' }, { name: 'b', value: '2' }] });
      await daemon.update(webhook.id, { headers: change });
      const shown = (await daemon.webhook(webhook.id)).headers ?? [];
      assert.deepEqual(Object.fromEntries(shown.map((h) => [h.name.toLowerCase(), h.value])), expected);
      assert.equal(shown.length, Object.keys(expected).length);
    });
  }

  proves('of headers only what stays counts against the limit; an added one stands where the one of its name stood', async () => {
    const webhook = await idle({ headers: numberedHeaders(8) });
    const { headers } = await daemon.update(webhook.id, { headers: { add: [{ name: 'X-Number-1', value: 'x' }, { name: 'y', value: '' }], remove: ['X-NUMBER-7'] } });
    assert.deepEqual(headers, [...numberedHeaders(1), { name: 'X-Number-1', value: 'x' }, ...numberedHeaders(7).slice(2), { name: 'y', value: '' }]);
    const set = { set: numberedHeaders(8), add: [{ name: 'z', value: '' }] };
    assertError(await daemon.call('webhooks.update', { id: webhook.id, headers: set }), 400, 'value_not_permitted', { field_name: 'headers', reason: REASON });
    assert.deepEqual((await daemon.update(webhook.id, { headers: { ...set, remove: ['z'] } })).headers, numberedHeaders(8));
  });

  const bads = [
    [{ bogus: 1 }, 'invalid_field', { field_name: 'bogus' }],
    [{ status: 'active' }, 'invalid_field', { field_name: 'status' }],
    [{ url: null }, 'unexpected_json_type', { actual: 'null', expected: 'string', field_name: 'url' }],
    [{ secret: 5 }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'secret' }],
    [{ secret: 'short' }, 'value_not_permitted', { field_name: 'secret', reason: REASON }],
    [{ action: 'explode' }, 'invalid_enum_value', { field_name: 'action', value: 'explode', allowed_values: sameAs(['activate', 'deactivate']) }],
    [{ action: null }, 'unexpected_json_type', { actual: 'null', expected: 'string', field_name: 'action' }],
    [{ event_types: ['tag_created'] }, 'unexpected_json_type', { actual: 'array', expected: 'object', field_name: 'event_types' }],
    [{ event_types: { add: 'tag_created' } }, 'unexpected_json_type', { actual: 'string', expected: 'array', field_name: 'event_types.add' }],
    [{ event_types: { add: ['nope'] } }, 'invalid_enum_value', { field_name: 'event_types.add[0]', value: 'nope', allowed_values: sameAs(EVENT_TYPES) }],
    [{ event_types: { replace: [] } }, 'invalid_field', { field_name: 'replace' }],
    [{ event_types: { set: [], add: [] } }, 'value_not_permitted', { field_name: 'event_types.set', reason: REASON }],
    [{ event_types: { set: ['tag_created'], remove: ['tag_deleted'] } }, 'value_not_permitted', { field_name: 'event_types.set', reason: REASON }],
    [{ headers: [] }, 'unexpected_json_type', { actual: 'array', expected: 'object', field_name: 'headers' }],
    [{ headers: { add: [{ name: 'Host', value: 'x' }] } }, 'value_not_permitted', { field_name: 'headers.add[0].name', reason: REASON }],
    [{ headers: { add: [{ name: 'x' }] } }, 'missing_required_field', { field_name: 'headers.add[0].value' }],
    [{ headers: { remove: [7] } }, 'unexpected_json_type', { actual: 'number', expected: 'string', field_name: 'headers.remove[0]' }],
    [{ headers: { set: numberedHeaders(9) } }, 'value_not_permitted', { field_name: 'headers.set', reason: REASON }],
    [{ headers: { add: numberedHeaders(8) } }, 'value_not_permitted', { field_name: 'headers', reason: REASON }],
    [{ headers: { clear: true } }, 'invalid_field', { field_name: 'clear' }],
  ];
  for (const [fields, type, expected] of bads) {
    proves(`refuses ${JSON.stringify(fields).slice(0, 70)}: ${type}, and changes nothing`, async () => {
      const webhook = await idle({ event_types: ['tag_created'], headers: [{ name: 'a', value: '1' }] });
      await daemon.settle();
      const { health: _, ...before } = await daemon.webhook(webhook.id);
      const good = { url: 'http://127.0.0.1:2/', secret: 'another-secret', action: 'deactivate' };
      const res = await daemon.call('webhooks.update', { id: webhook.id, ...good, ...fields });
      assertError(res, 400, type, expected);
      const { health: __, ...after } = await daemon.webhook(webhook.id);
      assert.deepEqual(after, before, 'all or nothing');
    });
  }

  proves('secret "" generates a new one; a given one replaces; both take an active webhook to unverified', async () => {
    const to = endpoint();
    const webhook = await daemon.activeWebhook(to);
    const generated = await daemon.update(webhook.id, { secret: '' });
    assert.match(generated.secret, /^[A-Za-z0-9]{32}$/);
    assert.notEqual(generated.secret, webhook.secret);
    assert.equal(generated.status, 'unverified');
    await daemon.waitActive(webhook.id);
    const given = await daemon.update(webhook.id, { secret: 'my-own-secret' });
    assert.equal(given.secret, 'my-own-secret');
    assert.equal(given.status, 'unverified');
    await daemon.waitActive(webhook.id);
    const verifies = to.verifies();
    assert.deepEqual(verifies.map((r) => [webhook.secret, generated.secret, 'my-own-secret'].findIndex((s) => r.isSignedWith(s))), [0, 1, 2], 'each verify is signed with the secret of its time');
    assert.equal(new Set(verifies.map((r) => r.challenge)).size, 3, 'a fresh challenge each time');
  });

  proves('url given, even the same one, takes an active webhook to unverified and verifies anew', async () => {
    const to = endpoint();
    const webhook = await daemon.activeWebhook(to);
    const same = await daemon.update(webhook.id, { url: to.url });
    assert.equal(same.status, 'unverified');
    assert.equal(same.secret, webhook.secret, 'the secret stays');
    await daemon.waitActive(webhook.id);
    const other = endpoint();
    assert.equal((await daemon.update(webhook.id, { url: other.url })).url, other.url);
    await daemon.waitActive(webhook.id);
    assert.equal(to.verifies().length, 2);
    assert.equal(other.verifies().length, 1);
  });

  proves('event_types and headers do not touch the status and cause no verify', async () => {
    const to = endpoint();
    const webhook = await daemon.activeWebhook(to);
    const after = await daemon.update(webhook.id, { event_types: { set: ['tag_created'] }, headers: { add: [{ name: 'x-a', value: '1' }] } });
    assert.equal(after.status, 'active');
    await daemon.settle();
    assert.equal(to.verifies().length, 1);
    await daemon.publish(event('work_created'));
    await daemon.publish(event('tag_created'));
    await daemon.settle();
    assert.deepEqual(to.events().map((r) => [r.type, r.headers['x-a']]), [['tag_created', '1']], 'new types and headers hold at once');
  });

  proves('deactivate makes any webhook inactive; activate of a verified one is active at once, without a verify', async () => {
    const to = endpoint();
    const webhook = await daemon.activeWebhook(to);
    assert.equal((await daemon.update(webhook.id, { action: 'deactivate' })).status, 'inactive');
    assert.equal((await daemon.update(webhook.id, { action: 'deactivate' })).status, 'inactive', 'twice is no error');
    assert.equal((await daemon.update(webhook.id, { action: 'activate' })).status, 'active');
    assert.equal((await daemon.update(webhook.id, { action: 'activate' })).status, 'active', 'a no-op on an active one');
    await daemon.settle();
    assert.equal(to.verifies().length, 1);
    const fresh = await idle();
    assert.equal((await daemon.update(fresh.id, { action: 'deactivate' })).status, 'inactive');
    assert.equal((await daemon.update(fresh.id, { action: 'activate' })).status, 'unverified', 'never verified');
  });

  proves('an inactive webhook whose url or secret changes stays inactive, and must verify when activated', async () => {
    for (const change of [{ secret: '' }, { url: 'same' }]) {
      const to = endpoint();
      const webhook = await daemon.activeWebhook(to);
      await daemon.update(webhook.id, { action: 'deactivate' });
      const changed = await daemon.update(webhook.id, change.url ? { url: to.url } : change);
      assert.equal(changed.status, 'inactive', JSON.stringify(change));
      await daemon.settle();
      assert.equal(to.verifies().length, 1, 'no verify while inactive');
      assert.equal((await daemon.update(webhook.id, { action: 'activate' })).status, 'unverified', JSON.stringify(change));
      await daemon.waitActive(webhook.id);
      assert.equal(to.verifies().length, 2);
    }
  });

  proves('other fields are applied before the action', async () => {
    const to = endpoint();
    const webhook = await daemon.activeWebhook(to);
    const off = await daemon.update(webhook.id, { secret: 'a-new-secret', event_types: { set: [] }, action: 'deactivate' });
    assert.deepEqual([off.status, off.secret, off.event_types], ['inactive', 'a-new-secret', []]);
    const other = endpoint();
    const on = await daemon.update(webhook.id, { url: other.url, action: 'activate' });
    assert.equal(on.status, 'unverified', 'the new generation was never verified');
    await daemon.waitActive(webhook.id);
    assert.deepEqual([to.verifies().length, other.verifies().length], [1, 1]);
  });
});

describe('webhooks.delete', () => {
  proves('answers {} exactly; the webhook is gone for get, list, update and a second delete', async () => {
    const webhook = await idle();
    const res = await daemon.call('webhooks.delete', { id: webhook.id });
    assert.equal(res.status, 200);
    assert.equal(res.text.trim(), '{}');
    for (const name of ['webhooks.get', 'webhooks.update', 'webhooks.delete']) {
      assertError(await daemon.call(name, { id: webhook.id }), 404, 'not_found', {}, name);
    }
    const { webhooks } = await daemon.ok('webhooks.list', {});
    assert.ok(!webhooks.some((w) => w.id === webhook.id));
  });

  proves('refuses an unknown field and deletes nothing', async () => {
    const webhook = await idle();
    assertError(await daemon.call('webhooks.delete', { id: webhook.id, force: true }), 400, 'invalid_field', { field_name: 'force' });
    assert.equal((await daemon.webhook(webhook.id)).id, webhook.id);
  });
});

function numberedHeaders(count) {
  return Array.from({ length: count }, (_, n) => ({ name: `x-number-${n}`, value: String(n) }));
}

/** A predicate: the same words in any order. */
function sameAs(words) {
  return (seen) => Array.isArray(seen) && [...seen].sort().join() === [...words].sort().join();
}
