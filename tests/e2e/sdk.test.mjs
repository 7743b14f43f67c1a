// DevRev's official client, unchanged, against the service: only its base URL and token are set. Every call that it has for
// webhooks, by the public and the beta client and by the generated classes below them, and every error that a client can meet.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe } from 'node:test';
import { event, UNKNOWN_WEBHOOK } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';

let sdks = null;
try {
  sdks = createRequire(import.meta.url)('@devrev/typescript-sdk');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
}

/** A call that must fail: the HTTP status, headers and body that the client saw. */
async function refusal(promise) {
  try {
    const { status, headers, data } = await promise;
    return { status, headers, data };
  } catch (error) {
    assert.ok(error.response, `an answer, saw ${error.message}`);
    return error.response;
  }
}

const kinds = [
  ['public', ({ url: endpoint, token }) => sdks.client.setup({ endpoint, token })],
  ['beta', ({ url: endpoint, token }) => sdks.client.setupBeta({ endpoint, token })],
];

/** The classes that are generated from DevRev's description, which the clients wrap. They spell queries in another way. */
const bare = (name) => ({ url: baseURL, token }) => new sdks[name].Api({ baseURL, secure: true, securityWorker: () => ({ headers: { Authorization: token } }) });
const classes = [
  ['public', bare('publicSDK')],
  ['beta', bare('betaSDK')],
];

describe('@devrev/typescript-sdk', { skip: sdks ? false : 'not installed: run "npm ci" in tests/e2e' }, () => {
  for (const [kind, setup] of [...kinds.map(([name, make]) => [`the ${name} client`, make]), ...classes.map(([name, make]) => [`the ${name} class`, make])]) {
    inWorld(`${kind} creates, gets, lists, updates and deletes webhooks`, async ({ daemon, to }) => {
      const sdk = setup(daemon);
      const created = await sdk.webhooksCreate({ url: to.url, event_types: ['work_created'], headers: [{ name: 'x-a', value: '1' }] });
      assert.equal(created.status, 201);
      const { webhook } = created.data;
      assert.deepEqual([webhook.url, webhook.status, webhook.event_types, webhook.headers], [to.url, 'unverified', ['work_created'], [{ name: 'x-a', value: '1' }]]);
      to.secret = webhook.secret;
      await daemon.waitActive(webhook.id);

      for (const got of [await sdk.webhooksGet({ id: webhook.id }), await sdk.webhooksGetPost({ id: webhook.id })]) {
        assert.equal(got.status, 200);
        assert.deepEqual([got.data.webhook.id, got.data.webhook.status, got.data.webhook.secret], [webhook.id, 'active', webhook.secret]);
      }
      const other = (await sdk.webhooksCreate({ url: 'http://127.0.0.1:1/' })).data.webhook;
      const ids = (answer) => answer.data.webhooks.map((w) => w.id).sort();
      const both = [webhook.id, other.id].sort();
      const lists = [[undefined, both], [{}, both], [{ status: [] }, both], [{ status: ['active'] }, [webhook.id]], [{ status: ['inactive'] }, []], [{ status: ['active', 'unverified'] }, both]];
      for (const [query, expected] of lists) {
        assert.deepEqual(ids(await sdk.webhooksList(query)), expected, JSON.stringify(query));
        assert.deepEqual(ids(await sdk.webhooksListPost(query ?? {})), expected, JSON.stringify(query));
      }

      const updated = await sdk.webhooksUpdate({ id: webhook.id, event_types: { add: ['tag_created'], remove: ['work_created'] }, headers: { add: [{ name: 'x-b', value: '2' }] } });
      assert.equal(updated.status, 200);
      assert.deepEqual([updated.data.webhook.event_types, updated.data.webhook.status], [['tag_created'], 'active']);
      await daemon.publish(event('tag_created'));
      await daemon.settle();
      assert.deepEqual(to.events().map((r) => [r.type, r.headers['x-a'], r.headers['x-b']]), [['tag_created', '1', '2']]);
      to.assertSigned();
      assert.equal((await sdk.webhooksUpdate({ id: webhook.id, action: 'deactivate' })).data.webhook.status, 'inactive');
      assert.equal((await sdk.webhooksUpdate({ id: webhook.id, action: 'activate' })).data.webhook.status, 'active');
      assert.equal((await sdk.webhooksUpdate({ id: webhook.id, secret: '' })).data.webhook.status, 'unverified');

      const deleted = await sdk.webhooksDelete({ id: webhook.id });
      assert.deepEqual([deleted.status, deleted.data], [200, {}]);
      assert.deepEqual(ids(await sdk.webhooksList()), [other.id]);
    });
  }

  for (const [kind, setup] of [kinds[1], classes[1]]) {
    inWorld(`webhooks.fetch, which only beta has (${kind})`, async ({ daemon, to }) => {
      const sdk = setup(daemon);
      const webhook = await daemon.activeWebhook(to, { event_types: [] });
      const { work } = event('work_created').work_created;
      await daemon.publish({ type: 'work_created', work_created: { work: { ...work, display_id: 'ISS-12345' } } });
      const fetched = await sdk.webhooksFetch({ id: webhook.id, object: 'ISS-12345' });
      assert.deepEqual([fetched.status, fetched.data], [200, {}]);
      await daemon.settle();
      assert.deepEqual(to.events().map((r) => [r.type, r.body.work_fetched.result, r.body.work_fetched.work.id]), [['work_fetched', 'ok', work.id]]);
      assert.deepEqual((await refusal(sdk.webhooksFetch({ id: webhook.id }))).data, { message: 'Bad Request', type: 'missing_required_field', field_name: 'object' });
      assert.equal((await refusal(sdk.webhooksFetch({ id: UNKNOWN_WEBHOOK, object: 'ISS-1' }))).status, 404);
      await daemon.update(webhook.id, { action: 'deactivate' });
      assert.equal((await refusal(sdk.webhooksFetch({ id: webhook.id, object: 'ISS-1' }))).data.type, 'bad_request');
    });
  }

  for (const [kind, setup] of kinds) {
    inWorld(`the ${kind} client sees errors as it expects them`, async ({ daemon }) => {
      const sdk = setup(daemon);
      const { id } = (await sdk.webhooksCreate({ url: 'http://127.0.0.1:1/' })).data.webhook;
      const url = 'http://127.0.0.1:1/';
      const cases = [
        [() => sdk.webhooksCreate({ url: 'ftp://x/' }), 400, 'value_not_permitted', 'url'],
        [() => sdk.webhooksCreate({ url, secret: 'short' }), 400, 'value_not_permitted', 'secret'],
        [() => sdk.webhooksCreate({ url, headers: [{ name: 'Host', value: 'x' }] }), 400, 'value_not_permitted', 'headers'],
        [() => sdk.webhooksCreate({ url, event_types: ['nope'] }), 400, 'invalid_enum_value', 'event_types'],
        [() => sdk.webhooksCreate({}), 400, 'missing_required_field', 'url'],
        [() => sdk.webhooksCreate({ url, bogus: 1 }), 400, 'invalid_field', 'bogus'],
        [() => sdk.webhooksCreate({ url: 5 }), 400, 'unexpected_json_type', 'url'],
        [() => sdk.webhooksCreate({ url: 'x'.repeat(1048576) }), 413, 'request_entity_too_large', undefined],
        [() => sdk.webhooksCreate({ url }, { type: 'text/plain' }), 400, 'invalid_content_type', undefined],
        [() => sdk.webhooksList({}, { headers: { 'X-Devrev-Version': '2030-01-01' } }), 400, 'invalid_api_version', undefined],
        [() => sdk.webhooksList({ limit: 5 }), 400, 'invalid_field', 'limit'],
        [() => sdk.webhooksList({ status: ['broken'] }), 400, 'invalid_enum_value', 'status'],
        [() => sdk.webhooksListPost({ cursor: 'x' }), 400, 'invalid_field', 'cursor'],
        [() => sdk.webhooksGet({ id: 'x' }), 400, 'invalid_id', 'id'],
        [() => sdk.webhooksGet({ id: 'don:core:dvrv-us-1:devo/dev0:issue/1' }), 400, 'unexpected_id_type', 'id'],
        [() => sdk.webhooksGet({ id: UNKNOWN_WEBHOOK }), 404, 'not_found', undefined],
        [() => sdk.webhooksGetPost({ id: UNKNOWN_WEBHOOK }), 404, 'not_found', undefined],
        [() => sdk.webhooksUpdate({ id, event_types: { set: [], add: ['tag_created'] } }), 400, 'value_not_permitted', 'event_types.set'],
        [() => sdk.webhooksUpdate({ id, action: 'explode' }), 400, 'invalid_enum_value', 'action'],
        [() => sdk.webhooksUpdate({ id: UNKNOWN_WEBHOOK, action: 'activate' }), 404, 'not_found', undefined],
        [() => sdk.webhooksDelete({ id: UNKNOWN_WEBHOOK }), 404, 'not_found', undefined],
        [() => sdk.webhooksDelete({}), 400, 'missing_required_field', 'id'],
        // webhooks.event is in the API description for receivers to implement; the service does not serve it.
        [() => sdk.webhooksEvent({ id: 'x', webhook_id: 'y' }), 404, undefined, undefined],
      ];
      for (const [n, [call, status, type, field]] of cases.entries()) {
        const seen = await refusal(call());
        const told = `case ${n}, expected ${status} ${type}, saw ${JSON.stringify([seen.status, seen.data])}`;
        assert.deepEqual([seen.status, seen.data.type], [status, type], told);
        if (field) assert.ok(seen.data.field_name.startsWith(field), told);
      }
      const stranger = setup({ url: daemon.url, token: 'wrong' });
      const seen = await refusal(stranger.webhooksList());
      assert.deepEqual([seen.status, seen.data], [401, { message: 'Unauthorized', type: 'unauthenticated' }]);
    });

    inWorld(`the ${kind} client is told when to come again`, { set: { rate_limit_per_minute: 1 } }, async ({ daemon }) => {
      const sdk = setup(daemon);
      const first = await sdk.webhooksList();
      assert.deepEqual([first.status, first.headers['x-ratelimit-limit'], first.headers['x-ratelimit-remaining']], [200, '1', '0']);
      const { status, headers, data } = await refusal(sdk.webhooksListPost({}));
      assert.deepEqual([status, data.message, data.type], [429, 'Too Many Requests', 'too_many_requests']);
      assert.ok(data.retry_after >= 1 && data.retry_after <= 60, JSON.stringify(data));
      assert.equal(headers['retry-after'], String(data.retry_after));
      assert.ok(Number(headers['x-ratelimit-reset']) > Date.now() / 1000 - 1, headers['x-ratelimit-reset']);
    });
  }
});
