// schema/openapi.yaml and the running service say the same: routes, fields, words, errors, examples; and no request that was
// made up from the schemas gets an answer that the document does not have.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { runToEnd, startDaemon } from './lib/daemon.mjs';
import { Generator, seeded, write } from './lib/generate.mjs';
import { Document, libraries, shape } from './lib/openapi.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { routeTable, source } from './lib/routes.mjs';
import { event, EVENT_TYPES, sample } from './lib/shapes.mjs';
import { proves, tearDown } from './lib/suite.mjs';

const SEED = Number(process.env.OPENAPI_SEED ?? 20250702);
const REQUESTS = Number(process.env.OPENAPI_REQUESTS ?? 1500);
const IN_FLIGHT = 8;

const installed = await libraries();
const document = installed && new Document(installed);
const skip = installed ? false : 'yaml and ajv are not installed: run "npm ci" in tests/e2e';

/** The first field of every row of a .def file. */
function rows(file) {
  return [...source(`schema/${file}.def`).replace(/\/\*[^]*?\*\//g, '').matchAll(/^X\((\w+)((?:,[^,()]*)*)/gm)].map(([, name, rest]) => [name, ...rest.split(',').slice(1).map((field) => field.trim())]);
}

const words = (file) => rows(file).map(([name]) => name);

describe('the document and the sources', { skip }, () => {
  proves('every route is in the document with its methods, the scope that it takes and its limit of a rate, and no other is', () => {
    const { routes } = routeTable();
    const expected = routes.flatMap((r) => r.methods.map((method) => `${method} ${r.path} ${r.scope !== null && r.scope !== 'metrics'} ${r.scope ?? undefined} ${r.rate !== 'NONE'}`));
    assert.deepEqual(document.operations.map((o) => `${o.name} ${o.needsToken} ${o.scope} ${'429' in o.responses}`).sort(), expected.sort());
  });

  proves('every field of a request is there with its kind and whether it is required, and no other is', () => {
    const { routes, fields } = routeTable();
    const compare = (list, schema, what) => {
      const { properties = {}, required = [], additionalProperties } = document.resolve(schema);
      assert.equal(additionalProperties, false, `${what}: other fields are refused`);
      assert.deepEqual(Object.keys(properties).sort(), list.map((f) => f.name).sort(), what);
      for (const field of list) {
        const seen = document.resolve(properties[field.name]);
        assert.deepEqual([seen.type, required.includes(field.name)], [field.type, field.required], `${what}.${field.name}`);
        const element = seen.items && document.resolve(seen.items);
        assert.equal(element?.type, field.element, `${what}.${field.name}[]`);
        if (field.fields) compare(fields.get(field.fields), element ?? seen, `${what}.${field.name}`);
      }
    };
    let compared = 0;
    for (const route of routes.filter((r) => r.fields !== 'NULL')) {
      for (const operation of document.operations.filter((o) => o.path === route.path)) {
        const list = fields.get(route.fields);
        if (operation.body) compare(list, operation.body.schema, operation.name);
        else assert.deepEqual(operation.query.map((p) => [p.name, p.required === true]).sort(), list.map((f) => [f.name, f.required]).sort(), operation.name);
        compared++;
      }
    }
    assert.ok(compared >= 18, `${compared} operations compared`);
  });

  proves('what is ours is marked as an extension, what is DevRev\'s is not', () => {
    const MARK = 'x-revhook-extension';
    for (const { path, name, value } of document.operations) assert.equal(value[MARK] === true, !path.startsWith('/webhooks.'), name);
    const ours = (schema) => Object.entries(document.schema(schema).properties).filter(([, field]) => document.resolve(field)[MARK]).map(([name]) => name);
    assert.deepEqual(ours('webhook').sort(), ['health', 'signature']);
    for (const schema of ['webhooks-create-request', 'webhooks-update-request']) assert.deepEqual(ours(schema), ['signature']);
    for (const schema of ['webhooks-get-request', 'webhooks-list-request', 'webhooks-fetch-request']) assert.deepEqual(ours(schema), []);
  });

  proves('every error type is described with its status, and no other is', () => {
    const described = new Map();
    for (const operation of document.operations) {
      for (const [status, response] of Object.entries(operation.responses)) {
        for (const { schema } of Object.values(response.content)) {
          const real = document.resolve(schema);
          for (const one of (real.oneOf ?? [real]).map((s) => document.resolve(s))) {
            if (status >= 400) for (const type of one.properties.type?.enum ?? []) described.set(type, status);
          }
        }
      }
    }
    assert.deepEqual([...described].sort(), rows('error').map(([type, status]) => [type, status]).sort());
    const answers = document.operations.flatMap((o) => [...document.answers(o)]);
    for (const [type] of rows('error')) assert.ok(answers.some((a) => a.example.value.type === type && a.status >= 400), `an example of ${type}`);
  });

  proves('the words of the enums are those of the tables', () => {
    const has = (name) => document.schema(name).enum;
    const types = rows('event_type');
    assert.deepEqual(has('webhook-event-type'), types.map(([name]) => name));
    assert.deepEqual(has('publishable-event-type'), types.filter(([, publishable]) => publishable === '1').map(([name]) => name));
    const reasons = rows('reason').filter(([name]) => name !== 'none');
    const { reason: ofDelivery } = document.schema('delivery').properties;
    const { reason: ofHealth, state } = document.schema('webhook-health').properties;
    assert.deepEqual(ofDelivery.enum, [...reasons.filter(([, verdict]) => verdict !== 'NONE').map(([name]) => name), null]);
    assert.deepEqual(ofHealth.enum, [...reasons.filter(([, verdict]) => verdict === 'NONE').map(([name]) => name), null]);
    const states = (file) => [...new Set(words(file))].map((word) => word.toLowerCase());
    assert.deepEqual(has('delivery-state'), states('delivery'));
    assert.deepEqual(state.enum, states('webhook').filter((word) => word !== 'deleted'));
    const outcomes = words('outcome').filter((name) => name !== 'wrong_challenge');
    assert.deepEqual(has('attempt-outcome'), outcomes);
    assert.deepEqual(document.schema('attempt').properties.reason.enum, [...outcomes.slice(1), null]);
    for (const name of words('metric')) assert.ok(document.text.includes(`\`revhook_${name}\``), `the metric ${name}`);
  });

  proves('the settings that it names exist and have the defaults that it tells', () => {
    const settings = new Map(rows('config').map(([key, , value]) => [key, value?.replaceAll('"', '')]));
    const named = [...document.text.matchAll(/\((`\w+`[^()]*)\)/g)].flatMap(([, inside]) => [...inside.matchAll(/`(\w+)`/g)].map(([, key]) => key)).filter((key) => !words('error').includes(key));
    assert.ok(named.length > 10);
    for (const key of named) assert.ok(settings.has(key), `${key} is a setting`);
    const { maxItems } = document.schema('events-to-publish').properties.events;
    assert.equal(String(maxItems), settings.get('batch_events_max'));
    assert.equal(String(document.schema('attempt').properties.response_body.maxLength), settings.get('response_kept_bytes'));
  });

  proves('what a payload must hold is what schema/payload.def says', () => {
    const text = source('schema/payload.def').replace(/\/\*[^]*?\*\//g, '');
    const KIND = { STRING: 'string', NUMBER: 'number', BOOL: 'boolean', ARRAY: 'array' };
    const kebab = (name) => name.replaceAll('_', '-');
    const members = (list) => [...list.matchAll(/(STRING|NUMBER|BOOL|ARRAY|NESTED|OPTIONAL)\((\w+)(?:, *(\w+))?\)/g)];
    const compare = (schema, list, what) => {
      assert.deepEqual(schema.required ?? [], members(list).filter(([, kind]) => kind !== 'OPTIONAL').map(([, , name]) => name), what);
      assert.deepEqual(Object.keys(schema.properties), members(list).map(([, , name]) => name), what);
      for (const [, kind, name, object] of members(list)) {
        if (object) assert.equal(schema.properties[name].$ref, `#/components/schemas/object-${kebab(object)}`, `${what}.${name}`);
        else assert.equal(schema.properties[name].type, KIND[kind], `${what}.${name}`);
      }
    };
    let compared = 0;
    for (const [, macro, name, list] of text.matchAll(/^(OBJECT|EVENT)\((\w+),\s*(.*)\)$/gm)) {
      compare(document.schema(`${macro.toLowerCase()}-${kebab(name)}`), list, name);
      compared++;
    }
    assert.ok(compared > 100);
    for (const [, owner, field, word, list] of text.matchAll(/^VARIANT\((\w+), (\w+), (\w+),\s*(.*)\)$/gm)) {
      const { allOf } = document.schema(`${/_fetched$/.test(owner) ? 'event' : 'object'}-${kebab(owner)}`);
      const found = allOf.map(({ anyOf: [{ not }, then] }) => [not.properties[field]?.enum ?? [], then]).filter(([these]) => these.includes(word));
      assert.equal(found.length, 1, `one rule for ${owner} with ${field} ${word}`);
      compare(found[0][1], list, `${owner} with ${field} ${word}`);
    }
    for (const type of EVENT_TYPES) if (type !== 'verify') document.assertValid({ $ref: '#/components/schemas/event-to-publish' }, sample(type), type);
  });

  proves('every example fits its schema', () => {
    let count = 0;
    const fits = (schema, { value }, what, strict) => {
      document.assertValid(schema, value, what, strict);
      count++;
    };
    const answers = (operation) => {
      for (const { schema, key, example, status } of document.answers(operation)) fits(schema, example, `${operation.name} ${status} ${key}`, true);
    };
    for (const operation of document.operations) {
      for (const parameter of operation.query) for (const example of Object.values(parameter.examples ?? {})) fits(parameter.schema, example, `${operation.name} ${parameter.name}`);
      for (const [key, example] of Object.entries(operation.body?.examples ?? {})) fits(operation.body.schema, example, `${operation.name} ${key}`, true);
      answers(operation);
      for (const callback of Object.values(operation.callbacks)) {
        const inner = document.operation('callback', 'POST', Object.values(callback)[0].post);
        for (const [key, example] of Object.entries(inner.body.examples)) fits(inner.body.schema, example, `callback ${key}`, true);
        answers(inner);
      }
    }
    for (const name of ['route-not-found', 'method-not-allowed', 'not-http']) answers({ name, responses: { 404: document.fallback(name) } });
    assert.ok(count > 150, `${count} examples`);
  });
});

// ------------------------------------------------------------------ requests of the document

/** Sends one request of an operation: {query, body, headers}; a body that is no text is written as JSON. */
function send(daemon, operation, { query, body, headers = {}, prefix = '' }, method = operation.method) {
  const path = `${prefix}${operation.path}${query === undefined || query === '' ? '' : `?${query}`}`;
  const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : write(body);
  return daemon.call(path, bytes, { method, token: operation.needsToken ? daemon.token : null, headers });
}

/** The request of an operation's example `key`, or undefined. */
function exampleRequest(operation, key) {
  if (operation.body) return operation.body.examples[key] && { body: operation.body.examples[key].value };
  const given = operation.query.filter((p) => p.examples?.[key]);
  return given.length > 0 ? { query: given.map((p) => `${p.name}=${[p.examples[key].value].flat().join(',')}`).join('&') } : undefined;
}

/** The first example of a request that goes well. */
function goodRequest(operation) {
  const [key] = Object.keys(operation.body?.examples ?? operation.query.find((p) => p.examples)?.examples ?? {});
  return key === undefined ? {} : exampleRequest(operation, key);
}

describe('the examples at the service', { skip }, () => {
  let daemon;
  let receiver;
  let names; // what stands for what is in the examples, in the service
  let never = 0;

  const active = async (path, types) => daemon.activeWebhook(receiver.endpoint(path), { event_types: types, headers: [{ name: 'x-api-key', value: '4f1e' }] });
  const short = (id) => id.split('/').pop();
  const deliveryTo = async (webhook) => (await daemon.deliveries({ webhook: webhook.id }))[0];

  before(async () => {
    receiver = await startReceiver();
    daemon = await startDaemon();
    const main = await active('/devrev', ['work_created']);
    const off = await active('/off', ['tag_created']);
    const slow = await active('/slow', ['part_created']);
    receiver.endpoint('/slow').break();
    const published = await daemon.publish(event('work_created'));
    await daemon.publishAll([event('work_created'), event('tag_created'), event('part_created')]);
    await daemon.settle();
    const offDelivery = await deliveryTo(off);
    const slowDelivery = await deliveryTo(slow);
    await daemon.update(off.id, { action: 'deactivate' });
    names = [
      ['webhook/1jGzMh1N', `webhook/${short(main.id)}`],
      ['00000001aB3dE5', short(published.id)],
      ['webhook/Hce4XNX0:delivery/00000004hJ6mPz', offDelivery.id.split('devo/dev0:')[1]],
      ['webhook/Hce4XNX0', `webhook/${short(off.id)}`],
      ['webhook/XfFIqdE4:delivery/00000005wC8nLs', slowDelivery.id.split('devo/dev0:')[1]],
      ['https://hooks.example.com/devrev', receiver.endpoint('/devrev').url],
    ];
  });

  after(() => tearDown(daemon, receiver));

  const real = (value, more = []) => value && JSON.parse([...more, ...names].reduce((text, [from, to]) => text.replaceAll(from, to), JSON.stringify(value)));

  /** The request that an example of an answer asks for: [before it, itself], or null if none gets that answer at will. */
  function requestsFor(operation, { key, example, status }) {
    const change = example['x-revhook-request'];
    if (change === 'none') return null;
    const own = change === undefined ? exampleRequest(operation, key) : change.after ? exampleRequest(operation, change.after) : goodRequest(operation);
    assert.ok(own, `${operation.name} ${status} ${key}: has a request`);
    if (change === undefined) return [own];
    const { after, body_bytes: bytes, ...rest } = change;
    const request = { ...own, ...rest };
    if (bytes) request.body = `"${'x'.repeat(bytes - 2)}"`;
    return after ? [{ ...own, headers: rest.headers }, request] : [request];
  }

  function assertLikeExample(operation, res, { status, key, example }) {
    const told = `${operation.name} ${key}: ${res.status} ${res.text.slice(0, 800)}`;
    assert.equal(res.status, status, told);
    document.assertDocumented(operation, res, key);
    if (typeof example.value === 'string') {
      const [line] = example.value.split('\n');
      assert.ok(res.text.includes(line), `${line}; ${told}`);
    } else if (status < 400) {
      assert.deepEqual(shape(res.body), shape(example.value), told);
    } else {
      const cut = /cut short/.test(example.description ?? '');
      const seen = cut ? { ...res.body, allowed_values: res.body.allowed_values.slice(0, example.value.allowed_values.length) } : res.body;
      assert.deepEqual(seen, example.value, told);
      assert.ok(!cut || res.body.allowed_values.length > 70, told);
    }
  }

  for (const operation of document?.operations ?? []) {
    proves(`${operation.name}: each example of an answer is what its request gets`, async () => {
      for (const answer of document.answers(operation)) {
        const requests = requestsFor(operation, answer);
        if (requests === null) {
          never++;
          continue;
        }
        let more = [];
        if (answer.status < 400 && /update|delete/.test(operation.path)) {
          more = [['webhook/1jGzMh1N', `webhook/${short((await active('/devrev', ['work_created', 'work_updated'])).id)}`]];
        }
        let res;
        for (const request of requests) res = await send(daemon, operation, real(request, more));
        assertLikeExample(operation, res, answer);
        if (answer.key === 'replayed') assert.equal(res.headers['idempotent-replayed'], 'true');
      }
    });
  }

  proves('the service gives the document out byte for byte, and needs no token for it', async () => {
    const res = await daemon.get('openapi.yaml', { token: null });
    assert.equal(res.text, document.text);
    assert.equal(res.headers['content-type'], 'application/yaml');
  });

  proves('every operation that needs a token is there under /internal, the others are not', async () => {
    for (const operation of document.operations) {
      const res = await send(daemon, operation, { ...real({ ...goodRequest(operation), headers: { Authorization: 'wrong' } }), prefix: '/internal' });
      assert.equal(res.status, operation.needsToken ? 401 : 404, operation.name);
    }
  });

  proves('other paths are not found, other methods not allowed, HEAD is GET without a body', async () => {
    for (const path of ['/', '/webhooks', '/webhooks.event', '/webhooks.create/', '//webhooks.get', '/webhooks.get%20', '/WEBHOOKS.GET', '/internal', '/internal/healthz', '/events.', '/openapi.yml', '/metrics/']) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const res = await daemon.call(path, method === 'GET' ? undefined : '{}', { method });
        assert.equal(res.status, 404, `${method} ${path}`);
        document.assertResponse(document.fallback('route-not-found'), res, `${method} ${path}: ${res.text}`);
      }
    }
    for (const path of Object.keys(document.root.paths)) {
      const of = (method) => document.operations.find((o) => o.path === path && o.method === method);
      const allow = [of('GET') && 'GET, HEAD', of('POST') && 'POST'].filter(Boolean).join(', ');
      for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'BREW', ...['GET', 'POST'].filter((m) => !of(m))]) {
        const res = await daemon.call(path, undefined, { method });
        assert.deepEqual([res.status, res.headers.allow], [405, allow], `${method} ${path}: ${res.text}`);
        document.assertResponse(document.fallback('method-not-allowed'), res, `${method} ${path}: ${res.text}`);
      }
      if (of('GET')) {
        const request = real(goodRequest(of('GET')));
        const [get, head] = [await send(daemon, of('GET'), request), await send(daemon, of('GET'), request, 'HEAD')];
        assert.deepEqual([head.status, head.text, head.headers['content-type']], [get.status, '', get.headers['content-type']], path);
      }
    }
    const res = await daemon.call('webhooks.list', '{}', { headers: { Expect: '200-maybe' } });
    assert.equal(res.status, 417);
    document.assertResponse(document.fallback('not-http'), res, res.text);
  });

  proves('with a real clock the clock has no operations; without --dev the metrics need the token', async () => {
    const other = await startDaemon({ clock: 'real', dev: false, token: 'a-token', env: { REVHOOK_TOKEN: 'a-token' } });
    for (const operation of document.operations.filter((o) => o.value.tags.includes('clock'))) {
      const res = await send(other, operation, goodRequest(operation));
      assert.equal(res.status, 404, operation.name);
      document.assertResponse(operation.responses[404], res, operation.name);
    }
    const metrics = document.operations.find((o) => o.path === '/metrics');
    for (const [token, status] of [[null, 401], ['a-token', 200]]) {
      const res = await other.get('metrics', { token });
      assert.equal(res.status, status, `token ${token}`);
      document.assertDocumented(metrics, res, `token ${token}`);
    }
    await other.end();
  });

  proves('over the limit of a rate every operation that has one answers 429; the headers say so before', async () => {
    const other = await startDaemon({ set: { rate_limit_per_minute: 1, rate_limit_own_per_minute: 1 } });
    const limited = document.operations.filter((o) => '429' in o.responses);
    for (const first of ['/webhooks.list', '/events.list']) {
      const operation = limited.find((o) => o.path === first);
      const res = await send(other, operation, {});
      assert.deepEqual([res.status, res.headers['x-ratelimit-limit'], res.headers['x-ratelimit-remaining']], [200, '1', '0']);
      document.assertDocumented(operation, res, 'within the limit');
    }
    for (const operation of limited) {
      const res = await send(other, operation, goodRequest(operation));
      assert.equal(res.status, 429, operation.name);
      document.assertDocumented(operation, res, 'over the limit');
      assert.equal(res.headers['retry-after'], String(res.body.retry_after));
    }
    await other.end();
  });

  proves('what receivers get is what the callbacks say: a verify request and each type of event', async () => {
    const to = receiver.endpoint('/all');
    const { verify, event: sent } = document.operations.find((o) => o.path === '/webhooks.create').callbacks;
    const [verifying, sending] = [verify, sent].map((callback) => document.operation('callback', 'POST', Object.values(callback)[0].post));
    await daemon.activeWebhook(to, { event_types: EVENT_TYPES });
    const publishable = EVENT_TYPES.filter((type) => type !== 'verify');
    const published = await daemon.publishAll(publishable.map((type) => sample(type)));
    await daemon.settle();
    assert.equal(to.events().length, publishable.length);
    for (const request of to.requests) {
      const operation = request.isVerify ? verifying : sending;
      document.assertValid(operation.body.schema, request.body, `to a receiver ${request.text.slice(0, 300)}`, true);
      assert.equal(request.headers['content-type'], 'application/json');
      for (const { name, schema } of operation.headers) document.assertValid(schema, request.headers[name.toLowerCase()], name);
    }
    const get = document.operations.find((o) => o.name === 'POST /events.get');
    for (const { id } of published) document.assertDocumented(get, await send(daemon, get, { body: { id } }), id);
  });

  proves('each limit of a request that the document tells is where the service has it: the last value goes, the next does not', async () => {
    const { url } = receiver.endpoint('/limits');
    const header = document.schema('webhook-header').properties;
    const secret = document.schema('webhook-secret');
    const { object } = document.schema('webhooks-fetch-request').properties;
    const long = (start, length) => start + 'x'.repeat(length - start.length);
    const create = (fields) => ['webhooks.create', { url, ...fields }];
    const headers = (count) => create({ headers: Array.from({ length: count }, (_, n) => ({ name: `x-${n}`, value: '' })) });
    const tag = event('tag_deleted');
    const limits = [
      [document.schema('limit').maximum, 1, (n) => ['events.list', { limit: n }]],
      [document.schema('limit').minimum, -1, (n) => ['deliveries.list', { limit: n }]],
      [document.schema('clock-advance-request').properties.ms.minimum, -1, (n) => ['clock.advance', { ms: n }]],
      [document.schema('webhook-url').maxLength, 1, (n) => create({ url: long(`${url}?`, n) })],
      [header.name.maxLength, 1, (n) => create({ headers: [{ name: long('x', n), value: 'a' }] })],
      [header.name.minLength, -1, (n) => create({ headers: [{ name: 'x'.repeat(n), value: 'a' }] })],
      [header.value.maxLength, 1, (n) => create({ headers: [{ name: 'x-a', value: 'x'.repeat(n) }] })],
      [document.schema('webhook-headers').maxItems, 1, headers],
      [secret.minLength, -1, (n) => create({ secret: 'x'.repeat(n) })],
      [secret.maxLength, 4, (n) => create({ secret: Buffer.alloc((n / 4) * 3 - (n === secret.maxLength ? 1 : 0), 7).toString('base64') })],
      [object.minLength, -1, (n) => ['webhooks.fetch', real({ id: 'don:integration:dvrv-us-1:devo/dev0:webhook/1jGzMh1N', object: 'x'.repeat(n) })]],
      [object.maxLength, 1, (n) => ['webhooks.fetch', real({ id: 'don:integration:dvrv-us-1:devo/dev0:webhook/1jGzMh1N', object: 'x'.repeat(n) })]],
      [document.schema('events-to-publish').properties.events.maxItems, 1, (n) => ['events.publish', { events: Array(n).fill(tag) }]],
      [document.schema('events-to-publish').properties.events.minItems, -1, (n) => ['events.publish', { events: Array(n).fill(tag) }]],
      [document.root.components.parameters['idempotency-key'].schema.maxLength, 1, (n) => ['events.publish', tag, { headers: { 'Idempotency-Key': 'k'.repeat(n) } }]],
    ];
    for (const [limit, step, request] of limits) {
      for (const [n, good] of [[limit, true], [limit + step, false]]) {
        const [name, body, options] = request(n);
        const res = await daemon.call(name, body, options);
        assert.equal(res.status < 300, good, `${name} with ${n} (limit ${limit}): ${res.status} ${res.text.slice(0, 300)}`);
        if (!good) assert.equal(res.body.type, 'value_not_permitted', res.text);
      }
    }
    const { maximum } = document.schema('clock-advance-request').properties.ms;
    assert.equal((await daemon.call('clock.advance', { ms: maximum + 1 })).body.reason.includes(String(maximum)), true);
  });

  proves('the examples that no request gets at will are few', () => {
    const types = new Set(document.operations.flatMap((o) => [...document.answers(o)]).filter((a) => a.example['x-revhook-request'] === 'none').map((a) => a.key));
    assert.deepEqual([...types].sort(), ['backlog', 'forbidden', 'internal_error', 'route_not_found', 'service_unavailable', 'token_expired', 'token_revoked', 'too_many_requests', 'too_many_webhooks', 'unauthenticated_without_dev']);
    assert.ok(never > 0);
  });
});

// ------------------------------------------------------------------ requests that nobody thought of

/** Types that say that the form of a request is wrong, which the schema of the request would have told. */
const FORM = ['invalid_field', 'missing_required_field', 'invalid_enum_value', 'invalid_id', 'unexpected_id_type', 'unexpected_json_type', 'parse_error'];

const isWellFormed = (value) => !/\\ud[89a-f]/.test(JSON.stringify(value));

describe('requests out of the schemas', { skip }, () => {
  let daemon;
  let receiver;
  let random;
  let make;
  const pool = { webhooks: [], events: [], deliveries: [], cursors: [] };
  const tokens = [];
  const seen = new Map();

  before(async () => {
    receiver = await startReceiver();
    daemon = await startDaemon();
    random = seeded(SEED);
    const urls = [];
    for (let n = 0; n < 4; n++) {
      const to = receiver.endpoint(`/${n}`);
      if (n === 3) to.break();
      urls.push(to.url);
      pool.webhooks.push((await daemon.activeWebhook(to, { event_types: ['work_created', 'tag_created'] })).id);
    }
    pool.events = (await daemon.publishAll([event('work_created'), event('tag_created'), event('work_created')])).map((e) => e.id);
    await daemon.settle();
    pool.deliveries = (await daemon.deliveries()).map((d) => d.id);
    for (const list of ['events.list', 'deliveries.list']) pool.cursors.push((await daemon.ok(list, { limit: 1 })).next_cursor);
    for (const scopes of ['read', 'publish', 'manage', 'metrics', 'manage,read', 'read']) tokens.push(await admin('create', '--org', 'dev0', '--scopes', scopes, '--expires', 'never'));
    await admin('revoke', tokens.at(-1).id);
    make = new Generator(document, random, {
      'webhook-id': (g) => (g.chance(0.9) ? g.pick(pool.webhooks) : 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz'),
      'event-id': (g) => (g.chance(0.9) ? g.pick(pool.events) : `don:integration:dvrv-us-1:devo/dev0${g.pick(['', ':webhook/zzzzzzzz'])}:${g.pick(['event', 'webhook_event'])}/${g.pick(['zz', 'zzzzzzzzzzzzzz'])}`),
      'delivery-id': (g) => (g.chance(0.9) ? g.pick(pool.deliveries) : 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz:delivery/zzzzzzzzzzzzzz'),
      'webhook-url': (g) => g.pick(urls),
      'webhook-secret': (g) => g.pick([g.string({ minLength: 8, maxLength: 32 }), Buffer.alloc(8 + g.below(25), 7).toString('base64')]),
      cursor: (g) => (g.chance(0.8) ? g.pick(pool.cursors) : 'zzzzzzzzzzzzzz'),
      'clock-advance-request': (g) => g.pick([{ ms: 0 }, { ms: 1 }, { ms: 1000 }, { ms: 30000 }, { to: 'next' }]),
    });
  });

  after(() => tearDown(daemon, receiver));

  /** A token of the service's organisation, made or revoked by its administrator. */
  async function admin(...words) {
    const { code, stdout, stderr } = await runToEnd(['admin', 'token', ...words, '--json', '--data', daemon.data]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout).token;
  }

  const remember = (list, id) => list.push(id) > 40 && list.shift();

  /** Ids that answers tell go into what is asked for later. */
  function learn(body) {
    if (typeof body?.webhook?.id === 'string') remember(pool.webhooks, body.webhook.id);
    if (typeof body?.event?.id === 'string') remember(pool.events, body.event.id);
    for (const d of body?.deliveries ?? []) remember(pool.deliveries, d.id);
    if (typeof body?.next_cursor === 'string') remember(pool.cursors, body.next_cursor);
  }

  function madeUp(operation) {
    const prefix = operation.needsToken && make.chance(0.1) ? '/internal' : '';
    return { prefix, ...madeUpFields(operation) };
  }

  function madeUpFields(operation) {
    const headers = {};
    if (make.chance(0.05)) headers['X-DevRev-Version'] = make.pick(['2022-10-20', '2024-01-24', '2023-01-01', '', 'x'.repeat(3000)]);
    if (make.chance(0.2)) headers.Authorization = make.pick(tokens).token;
    else if (make.chance(0.03)) headers.Authorization = make.pick(['', 'Bearer', 'Bearer ', 'Basic x', 'dev-token', 'BEARER  dev-token', 'x'.repeat(3000)]);
    if (operation.headers.some((h) => h.name === 'Idempotency-Key') && make.chance(0.2)) headers['Idempotency-Key'] = make.pick(['a', 'b', '', ' ', 'x'.repeat(255), 'x'.repeat(256), 'caf\u00e9']);
    if (!operation.body) {
      const fields = Object.fromEntries(operation.query.filter((p) => p.required || make.chance(0.5)).map((p) => [p.name, make.valid(p.schema)]));
      if (make.chance(0.2) && operation.query.length > 0) fields[make.pick(operation.query).name] = make.pick(['', 'x', '💥', 'null', '0', 'a,b', '"', 'x'.repeat(2000)]);
      return { headers, query: make.query(fields, make.chance(0.3)) };
    }
    let body = make.valid(operation.body.schema);
    for (let n = make.below(3); n > 0; n--) body = make.mutated(body);
    const plain = Object.keys(headers).length === 0;
    if (make.chance(0.08)) return { headers, body: make.damaged(write(body)) };
    if (make.chance(0.05)) headers['Content-Type'] = make.pick([null, 'text/plain', '', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/x-www-form-urlencoded', 'x'.repeat(3000)]);
    else if (make.chance(0.03)) return { headers, body: make.pick([undefined, '']) };
    return { headers, body, plain: plain && headers['Content-Type'] === undefined };
  }

  /** A body that fits its schema is never told that its form is wrong; one that does not is never accepted. */
  function assertAgreed(operation, { body }, res, told) {
    const text = write(body);
    if (!isWellFormed(body) || text.length > 1000000) return;
    const fits = document.isValid(operation.body.schema, JSON.parse(text));
    if (fits) assert.ok(!FORM.includes(res.body.type), `the schema lets it through; ${told}`);
    else assert.ok(res.status >= 400, `the schema refuses it (${document.ajv.errorsText(document.validator(operation.body.schema).errors)}); ${told}`);
  }

  async function one(operation, request, number) {
    const told = `seed ${SEED}, request ${number}, ${operation.name} ${JSON.stringify({ ...request, body: Buffer.isBuffer(request.body) ? request.body.toString('hex') : request.body })?.slice(0, 1200)}`;
    const res = await send(daemon, operation, request).catch((error) => assert.fail(`${error.message}; ${told}`));
    assert.ok(res.status < 500, `${told}: ${res.status} ${res.text.slice(0, 300)}`);
    document.assertDocumented(operation, res, told);
    if (request.plain) assertAgreed(operation, request, res, `${told}: ${res.status} ${res.text.slice(0, 300)}`);
    learn(res.body);
    const key = `${operation.name} ${res.status} ${res.body?.type && res.status >= 400 ? res.body.type : ''}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }

  proves(`${REQUESTS} requests, seed ${SEED}: no 5xx, no lost connection, no answer that is not documented`, async (t) => {
    t.diagnostic(`OPENAPI_SEED=${SEED} OPENAPI_REQUESTS=${REQUESTS}`);
    const { operations } = document;
    let number = 0;
    const work = async () => {
      while (number < REQUESTS) {
        const operation = operations[number % operations.length];
        const request = madeUp(operation);
        await one(operation, request, number++);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, work));
    assert.deepEqual((await daemon.get('healthz')).body, { status: 'ok' });
    for (const operation of operations) {
      const good = [...seen.keys()].filter((key) => key.startsWith(`${operation.name} 2`));
      const bad = [...seen.keys()].filter((key) => key.startsWith(`${operation.name} 4`));
      assert.ok(good.length > 0, `${operation.name} was accepted: ${bad}`);
      assert.ok(bad.length > 1 || !operation.needsToken, `${operation.name} was refused, for several reasons: ${[...good, ...bad]}`);
    }
    t.diagnostic(`${seen.size} kinds of answers`);
  });
});
