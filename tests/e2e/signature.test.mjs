// The form of the signature: DevRev documents an HMAC-SHA256 of the raw body under the secret and neither key bytes nor
// encoding, so three styles of receiver are found in the field. Each of them is played here by code of its own and
// checks every POST it gets, verify requests and retries included, over payloads that are hard to carry.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe } from 'node:test';
import { runToEnd } from './lib/daemon.mjs';
import { assertError, REASON } from './lib/errors.mjs';
import { event } from './lib/shapes.mjs';
import { inWorld, proves } from './lib/suite.mjs';

const SECRET = 'MTIzNDU2Nzg5MGFiY2RlZg=='; // decodes to 1234567890abcdef
const LIVE = { encoding: 'base64', key: 'base64', prefix: '' };

/** The header's value as a receiver of some style would compute it. */
const hmac = (key, body, encoding) => crypto.createHmac('sha256', key).update(body).digest(encoding);
const FORMS = {
  'hex, string key': [{ encoding: 'hex', key: 'string' }, (s, b) => hmac(s, b, 'hex'), 'acde1898df630d91ee7a354db3841e305da3a6b1c14576bfb9c50385df4cb241'],
  'base64, string key': [{ encoding: 'base64', key: 'string' }, (s, b) => hmac(s, b, 'base64'), 'rN4YmN9jDZHuejVNs4QeMF2jprHBRXa/ucUDhd9MskE='],
  'hex, decoded key': [{ encoding: 'hex', key: 'base64' }, (s, b) => hmac(Buffer.from(s, 'base64'), b, 'hex'), '9b869bbf088c6e83efa18dc8d5c8c95806b740ca0164c48b49a8f8c9988a35b3'],
  'base64, decoded key': [{ encoding: 'base64', key: 'base64' }, (s, b) => hmac(Buffer.from(s, 'base64'), b, 'base64'), 'm4abvwiMboPvoY3I1cjJWAa3QMoBZMSLSaj4yZiKNbM='],
};

/** Receivers in the styles that exist. Each gives the value that it would compare the header with. */
const STYLES = {
  'hex over the raw body, the secret as key (DevRev\'s sample receiver)': {
    form: {},
    expected: (secret, bytes) => hmac(secret, bytes, 'hex'),
  },
  'hex over JSON that was parsed and printed again': {
    form: {},
    expected: (secret, bytes) => hmac(secret, JSON.stringify(JSON.parse(bytes.toString('utf8'))), 'hex'),
    reprints: true,
  },
  'base64 over the raw body, the decoded secret as key': {
    form: { preset: 'devrev-live' },
    expected: (secret, bytes) => hmac(Buffer.from(secret, 'base64'), bytes, 'base64'),
  },
  '"sha256=" and hex': {
    form: { prefix: 'sha256=' },
    expected: (secret, bytes) => `sha256=${hmac(secret, bytes, 'hex')}`,
  },
};

/** A rule for an endpoint: 401 to whatever is not signed as `expected` says, else what `then` says. */
function guard(to, secret, expected, then = {}) {
  to.refused = [];
  const check = (answer) => (received, endpoint) => {
    const want = expected(secret(), received.bytes);
    if (received.signature === want) return answer(received, endpoint);
    to.refused.push(`${received.signature} is not ${want}: ${received.text.slice(0, 300)}`);
    return { status: 401, body: 'bad signature' };
  };
  to.onVerify = check((received) => ({ body: JSON.stringify({ challenge: received.challenge }) }));
  to.onEvent = check((received) => (typeof then === 'function' ? then(received) : then));
}

/** Text of a work_created event with `extra` as source text behind a field of the payload, so that JSON.stringify has no say. */
const withText = (extra) => JSON.stringify(event('work_created')).replace(/\}\}\}$/, () => `},"x":${extra}}}`);

// Payload text; `exact` is false where architecture does not promise that JSON.parse and JSON.stringify keep it: numbers
// that JavaScript cannot hold, and keys that look like integers, which it puts first.
const PAYLOADS = [
  ['numbers in many spellings', '[0,-1,1.0,1e2,0.1,1E-7,1e21,123456789012345,5e-324,1.7976931348623157e308,100e-2,0.30000000000000004]', true],
  ['numbers beyond a double', '[12345678901234567890,0.1000000000000000055511151231257827,1e400,-0]', false],
  ['escapes', '"\\u0000\\u001f\\"\\\\\\/\\b\\f\\n\\r\\t\\u007f\\u2028\\u2029\\u003c\\ud83d\\ude00"', true],
  ['non-ASCII text and keys', '{"ключ":"значение","日本":"語","é":"é","😀":"\\ud83d\\ude00"}', true],
  ['HTML', '"<script>a && b</script>\\/"', true],
  ['white space between all tokens', '{ "a" :\t[ 1 ,\r\n 2 ] , "b" : { } }', true],
  ['depth 60', `${'{"a":['.repeat(29)}null${']}'.repeat(29)}`, true],
  ['keys in an order of their own', '{"z":1,"a":2,"m":{"y":1,"b":2}}', true],
  ['keys that look like integers', '{"b":1,"2":2,"1":3}', false],
  ['nothing', '{"a":null,"b":false,"c":true,"d":"","e":[],"f":{}}', true],
  ['large text', JSON.stringify('é"\\\n'.repeat(60000)), true],
];

describe('receivers of each style check every POST', () => {
  for (const [style, { form, expected, reprints }] of Object.entries(STYLES)) {
    inWorld(style, async ({ daemon, to }) => {
      const failed = new Set();
      guard(to, () => SECRET, expected, ({ eventKey }) => {
        if (failed.has(eventKey)) return {};
        failed.add(eventKey); // the first attempt of each fails, so that a retry is signed and checked, too
        return { status: 503 };
      });
      const fields = Object.keys(form).length > 0 ? { signature: form } : {};
      const { id } = await daemon.createWebhook({ url: to.url, secret: SECRET, event_types: ['work_created'], ...fields });
      await daemon.waitActive(id);
      const sent = [];
      for (const [what, text, exact] of PAYLOADS) {
        if (reprints && !exact) continue;
        const body = withText(text);
        sent.push([what, await daemon.publish(body), body]);
      }
      await daemon.settle();
      await daemon.advance(30000);
      assert.deepEqual(to.refused, [], 'every signature was right');
      for (const [what, published, body] of sent) {
        const got = to.of(published);
        assert.equal(got.length, 2, `${what}: a first attempt and a retry, saw ${got.length}`);
        assert.notEqual(got[0].signature, got[1].signature, `${what}: a fresh timestamp makes a fresh signature`);
        for (const received of got) assert.deepEqual(received.body.work_created, JSON.parse(body).work_created, what);
      }
      assert.equal(to.verifies().length, 1);
      assert.equal(to.requests.length, 1 + 2 * sent.length);
    });
  }

  inWorld('what JavaScript cannot hold arrives digit for digit', async ({ daemon, to }) => {
    await daemon.activeWebhook(to);
    const digits = '[12345678901234567890,0.1000000000000000055511151231257827,1e400,-0]';
    await daemon.publish(withText(digits));
    await daemon.settle();
    assert.ok(to.events()[0].text.includes(`"x":${digits}`), to.events()[0].text);
  });
});

describe('the forms', () => {
  const VERIFY = '{"id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123:event/abcdef","webhook_id":"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123","timestamp":"2022-08-01T12:00:00.123456Z","type":"verify","verify":{"challenge":"DlrVaK7zRyZWwbJhj5dZHDlrVaK7Jhj5dZZjH"}}';
  const forms = Object.entries(FORMS).flatMap(([name, rest]) => ['', 'sha256='].map((prefix) => [name, prefix, ...rest]));

  /** A webhook of `fields` is verified by and gets an event to a receiver that wants this form and no other. */
  async function works(daemon, to, compute, prefix, fields) {
    guard(to, () => SECRET, (secret, bytes) => prefix + compute(secret, bytes));
    const webhook = await daemon.createWebhook({ url: to.url, secret: SECRET, event_types: ['work_created'], ...fields });
    assert.deepEqual(webhook.signature, fields.signature, 'shown only where the webhook sets it');
    await daemon.waitActive(webhook.id);
    await daemon.publish(event());
    await daemon.settle();
    assert.deepEqual(to.refused, [], to.path);
    assert.equal(to.events().length, 1, to.path);
    await daemon.remove(webhook.id);
  }

  inWorld(`each of ${forms.length}, set by a webhook`, async ({ daemon, receiver }) => {
    for (const [name, prefix, form, compute, vector] of forms) {
      assert.equal(compute(SECRET, VERIFY), vector, 'this test computes the published vector');
      await works(daemon, receiver.endpoint(`/${encodeURIComponent(name + prefix)}`), compute, prefix, { signature: { ...form, prefix } });
    }
  });

  for (const [name, prefix, form, compute] of forms) {
    const set = { signature_encoding: form.encoding, signature_key: form.key, signature_prefix: prefix };
    inWorld(`${name}, ${prefix || 'no'} prefix, set for the service`, { set }, async ({ daemon, to }) => {
      await works(daemon, to, compute, prefix, {});
    });
  }

  inWorld('a secret that is not base64 is the key as it is, with the decoded key, too', { set: { signature_preset: 'devrev-live' } }, async ({ daemon, to }) => {
    for (const secret of ['not base64!', 'abcdefghi', 'ééééé']) {
      guard(to, () => secret, (key, bytes) => hmac(key, bytes, 'base64'));
      const webhook = await daemon.createWebhook({ url: to.url, secret });
      await daemon.waitActive(webhook.id);
      assert.deepEqual(to.refused, []);
    }
  });

  inWorld('a generated secret can be decoded', { set: { signature_preset: 'devrev-live' } }, async ({ daemon, to }) => {
    const webhook = await daemon.createWebhook({ url: to.url });
    await daemon.waitActive(webhook.id);
    const key = Buffer.from(webhook.secret, 'base64');
    assert.equal(key.length, 24);
    const [verify] = to.verifies();
    assert.equal(verify.signature, hmac(key, verify.bytes, 'base64'));
  });
});

describe('the signature field', () => {
  inWorld('a webhook shows the parts that it sets, after its secret, in create, get, list and update', async ({ daemon, to }) => {
    const { webhook } = await daemon.ok('webhooks.create', { url: to.url, signature: { encoding: 'base64' } }, { status: 201 });
    assert.deepEqual(webhook.signature, { encoding: 'base64' });
    const own = Object.keys(webhook).filter((key) => ['event_types', 'headers', 'secret', 'signature', 'status', 'url'].includes(key));
    assert.deepEqual(own, ['event_types', 'secret', 'signature', 'status', 'url'], 'DevRev\'s order: by the alphabet');
    assert.deepEqual((await daemon.webhook(webhook.id)).signature, { encoding: 'base64' });
    assert.deepEqual((await daemon.ok('webhooks.list', {})).webhooks[0].signature, { encoding: 'base64' });
  });

  const changes = [
    [{ encoding: 'hex' }, { encoding: 'hex' }],
    [{}, { encoding: 'base64' }],
    [{ key: 'base64' }, { encoding: 'base64', key: 'base64' }],
    [{ prefix: 'sha256=' }, { encoding: 'base64', prefix: 'sha256=' }],
    [{ prefix: '' }, { encoding: 'base64', prefix: '' }],
    [{ preset: 'devrev-live' }, LIVE],
    [{ preset: 'default' }, undefined],
  ];
  inWorld('an update replaces the parts that it gives, a preset all of them; a restart changes nothing', async ({ daemon }) => {
    const ids = [];
    for (const [change, expected] of changes) {
      const what = JSON.stringify(change);
      const { id } = await daemon.createWebhook({ url: 'http://127.0.0.1:1/', signature: { encoding: 'base64' } });
      assert.deepEqual((await daemon.update(id, { signature: change })).signature, expected, what);
      const other = await daemon.update(id, { headers: { add: [{ name: 'a', value: 'b' }] }, secret: '' });
      assert.deepEqual(other.signature, expected, `${what}: other changes leave it`);
      ids.push(id);
    }
    await daemon.restart();
    for (const [n, [change, expected]] of changes.entries()) {
      assert.deepEqual((await daemon.webhook(ids[n])).signature, expected, JSON.stringify(change));
    }
  });

  inWorld('a change does not touch the status, moves modified_date if it is one, and holds for what is queued', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.onEvent = { status: 500 };
    await daemon.publish(event());
    await daemon.settle();
    await daemon.advance(1000);
    const same = await daemon.update(webhook.id, { signature: { preset: 'default' } });
    assert.equal(same.modified_date, (await daemon.webhook(webhook.id)).created_date, 'no change');
    const changed = await daemon.update(webhook.id, { signature: { preset: 'devrev-live' } });
    assert.equal(changed.status, 'active');
    assert.ok(changed.modified_date > changed.created_date);
    await daemon.restart();
    to.onEvent = {};
    await daemon.advance(30000);
    assert.equal(to.verifies().length, 1, 'no new verify');
    const [first, second] = to.events();
    assert.equal(first.signature, hmac(webhook.secret, first.bytes, 'hex'));
    assert.equal(second.signature, hmac(Buffer.from(webhook.secret, 'base64'), second.bytes, 'base64'));
    assert.equal(to.events().length, 2);
  });

  inWorld('what a webhook does not set follows the service, also when that is changed', async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to, { signature: { prefix: 'sha256=' } });
    await daemon.restart({ set: { signature_encoding: 'base64' } });
    await daemon.publish(event());
    await daemon.settle();
    const [received] = to.events();
    assert.equal(received.signature, `sha256=${hmac(webhook.secret, received.bytes, 'base64')}`);
  });

  const words = (...expected) => (seen) => JSON.stringify(seen) === JSON.stringify(expected);
  const bads = [
    [null, 'unexpected_json_type', { actual: 'null', expected: 'object', field_name: 'signature' }],
    ['hex', 'unexpected_json_type', { actual: 'string', expected: 'object', field_name: 'signature' }],
    [[], 'unexpected_json_type', { actual: 'array', expected: 'object', field_name: 'signature' }],
    [{ encoding: null }, 'unexpected_json_type', { actual: 'null', expected: 'string', field_name: 'signature.encoding' }],
    [{ prefix: false }, 'unexpected_json_type', { actual: 'bool', expected: 'string', field_name: 'signature.prefix' }],
    [{ digest: 'sha512' }, 'invalid_field', { field_name: 'digest' }],
    [{ encoding: 'HEX' }, 'invalid_enum_value', { field_name: 'signature.encoding', value: 'HEX', allowed_values: words('hex', 'base64') }],
    [{ key: 'hex' }, 'invalid_enum_value', { field_name: 'signature.key', value: 'hex', allowed_values: words('string', 'base64') }],
    [{ prefix: 'sha1=' }, 'invalid_enum_value', { field_name: 'signature.prefix', value: 'sha1=', allowed_values: words('', 'sha256=') }],
    [{ preset: '' }, 'invalid_enum_value', { field_name: 'signature.preset', value: '', allowed_values: words('default', 'devrev-live') }],
    [{ preset: 'devrev-live', key: 'base64' }, 'value_not_permitted', { field_name: 'signature.preset', reason: REASON }],
    [{ preset: 'default', encoding: 'hex' }, 'value_not_permitted', { field_name: 'signature.preset', reason: REASON }],
  ];
  inWorld(`${bads.length} bad values are refused at create and update, and nothing changes`, async ({ daemon }) => {
    const { id } = await daemon.createWebhook({ url: 'http://127.0.0.1:1/', signature: { key: 'base64' } });
    for (const [signature, type, fields] of bads) {
      const what = JSON.stringify(signature);
      assertError(await daemon.call('webhooks.create', { url: 'http://127.0.0.1:1/', signature }), 400, type, fields, what);
      assertError(await daemon.call('webhooks.update', { id, event_types: { set: ['tag_created'] }, signature }), 400, type, fields, what);
    }
    const { webhooks } = await daemon.ok('webhooks.list', {});
    assert.deepEqual(webhooks.map((w) => [w.id, w.signature, w.event_types]), [[id, { key: 'base64' }, []]]);
  });
});

describe('settings', () => {
  proves('a preset beside a setting that contradicts it is a start error', async () => {
    for (const setting of ['signature_encoding=hex', 'signature_key=string', 'signature_prefix=sha256=']) {
      const run = await runToEnd(['--dev', '--data', '/nonexistent/never-made', '--set', 'signature_preset=devrev-live', '--set', setting]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, new RegExp(setting.split('=')[0]));
      assert.equal(run.stdout, '');
    }
  });
});
