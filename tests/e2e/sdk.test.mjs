// DevRev's official client, unchanged, against the service: only its base URL and token are set.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe } from 'node:test';
import { event } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';

let client = null;
try {
  ({ client } = createRequire(import.meta.url)('@devrev/typescript-sdk'));
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
}

/** A call that must fail: the HTTP status and body that the client saw. */
async function refusal(promise) {
  try {
    const { status, data } = await promise;
    return { status, data };
  } catch (error) {
    assert.ok(error.response, `an answer, saw ${error.message}`);
    return { status: error.response.status, data: error.response.data };
  }
}

const kinds = [
  ['public', (options) => client.setup(options)],
  ['beta', (options) => client.setupBeta(options)],
];

describe('@devrev/typescript-sdk', { skip: client ? false : 'not installed: run "npm ci" in tests/e2e' }, () => {
  for (const [kind, setup] of kinds) {
    inWorld(`the ${kind} client creates, gets, lists, updates and deletes webhooks`, async ({ daemon, to }) => {
      const sdk = setup({ endpoint: daemon.url, token: daemon.token });
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
      assert.deepEqual(ids(await sdk.webhooksList()), [webhook.id, other.id].sort());
      assert.deepEqual(ids(await sdk.webhooksList({})), [webhook.id, other.id].sort());
      assert.deepEqual(ids(await sdk.webhooksList({ status: ['active'] })), [webhook.id]);
      assert.deepEqual(ids(await sdk.webhooksList({ status: ['active', 'unverified'] })), [webhook.id, other.id].sort());
      assert.deepEqual(ids(await sdk.webhooksListPost({})), [webhook.id, other.id].sort());
      assert.deepEqual(ids(await sdk.webhooksListPost({ status: ['unverified'] })), [other.id]);

      const updated = await sdk.webhooksUpdate({ id: webhook.id, event_types: { add: ['tag_created'], remove: ['work_created'] }, headers: { add: [{ name: 'x-b', value: '2' }] } });
      assert.equal(updated.status, 200);
      assert.deepEqual([updated.data.webhook.event_types, updated.data.webhook.status], [['tag_created'], 'active']);
      await daemon.publish(event('tag_created'));
      await daemon.settle();
      assert.deepEqual(to.events().map((r) => [r.type, r.headers['x-a'], r.headers['x-b']]), [['tag_created', '1', '2']]);
      to.assertSigned();
      assert.equal((await sdk.webhooksUpdate({ id: webhook.id, action: 'deactivate' })).data.webhook.status, 'inactive');
      assert.equal((await sdk.webhooksUpdate({ id: webhook.id, action: 'activate' })).data.webhook.status, 'active');

      const deleted = await sdk.webhooksDelete({ id: webhook.id });
      assert.deepEqual([deleted.status, deleted.data], [200, {}]);
      assert.deepEqual(ids(await sdk.webhooksList()), [other.id]);
    });

    inWorld(`the ${kind} client sees errors as it expects them`, async ({ daemon }) => {
      const sdk = setup({ endpoint: daemon.url, token: daemon.token });
      const cases = [
        [() => sdk.webhooksCreate({ url: 'ftp://x/' }), 400, 'value_not_permitted', 'url'],
        [() => sdk.webhooksCreate({ url: 'http://127.0.0.1:1/', event_types: ['nope'] }), 400, 'invalid_enum_value', 'event_types'],
        [() => sdk.webhooksCreate({}), 400, 'missing_required_field', 'url'],
        [() => sdk.webhooksCreate({ url: 'http://127.0.0.1:1/', bogus: 1 }), 400, 'invalid_field', 'bogus'],
        [() => sdk.webhooksGet({ id: 'x' }), 400, 'invalid_id', 'id'],
        [() => sdk.webhooksGet({ id: 'don:core:dvrv-us-1:devo/dev0:issue/1' }), 400, 'unexpected_id_type', 'id'],
        [() => sdk.webhooksGet({ id: 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz' }), 404, 'not_found', undefined],
        [() => sdk.webhooksDelete({ id: 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz' }), 404, 'not_found', undefined],
      ];
      for (const [call, status, type, field] of cases) {
        const seen = await refusal(call());
        assert.deepEqual([seen.status, seen.data.type], [status, type], JSON.stringify(seen));
        if (field) assert.ok(seen.data.field_name.startsWith(field), JSON.stringify(seen));
      }
      const stranger = setup({ endpoint: daemon.url, token: 'wrong' });
      const seen = await refusal(stranger.webhooksList());
      assert.deepEqual([seen.status, seen.data], [401, { message: 'Unauthorized', type: 'unauthenticated' }]);
      // webhooks.event is in the API description for receivers to implement; the service does not serve it.
      assert.equal((await refusal(sdk.webhooksEvent({ id: 'x', webhook_id: 'y' }))).status, 404);
    });
  }
});
