// Several organisations in one service: what one has is to another as if it were not there, on every route; and tokens
// do what their scopes say, until they end.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { adminOk, newOrg, newToken } from './lib/admin.mjs';
import { startDaemon } from './lib/daemon.mjs';
import { assertError } from './lib/errors.mjs';
import { startReceiver } from './lib/receiver.mjs';
import { routeTable } from './lib/routes.mjs';
import { DAY, event } from './lib/shapes.mjs';
import { inWorld, proves, tearDown } from './lib/suite.mjs';
import { until } from './lib/wait.mjs';

const { routes } = routeTable();
const SCOPES = ['publish', 'manage', 'read', 'metrics'];

/** The service as one organisation's client sees it. */
class Tenant {
  constructor(daemon, org) {
    Object.assign(this, org, { daemon });
  }

  call(name, body, options = {}) {
    return this.daemon.call(name, body, { token: this.token, ...options });
  }

  ok(name, body, options = {}) {
    return this.daemon.ok(name, body, { token: this.token, ...options });
  }

  /** A route by one of its methods. */
  ask(route, method, fields, prefix = '') {
    if (method === 'POST') return this.call(`${prefix}${route.path}`, fields);
    const query = Object.entries(fields).map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
    return this.daemon.get(`${prefix}${route.path}${query ? '?' : ''}${query}`, { token: this.token });
  }

  don(rest) {
    return `don:integration:${this.partition}:devo/${this.id}:${rest}`;
  }

  async activeWebhook(endpoint, fields = {}) {
    const { webhook } = await this.ok('webhooks.create', { url: endpoint.url, event_types: ['work_created'], ...fields });
    endpoint.secret = webhook.secret;
    await until(async () => (await this.webhook(webhook.id)).status === 'active', 5000, () => 'an active webhook');
    return webhook;
  }

  async webhook(id) {
    return (await this.ok('webhooks.get', { id })).webhook;
  }

  /** Everything that it can see of its own. */
  async all() {
    const out = {};
    for (const [name, field] of [['webhooks.list', 'webhooks'], ['events.list', 'events'], ['deliveries.list', 'deliveries']]) out[field] = (await this.ok(name, {}))[field];
    for (const { id } of out.deliveries) out[id] = await this.ok('deliveries.get', { id });
    return out;
  }
}

/** Two organisations with a webhook, an event and a delivery each, and one webhook that is deleted. */
async function furnish(daemon, receiver) {
  const tenants = [];
  for (const [name, partition] of [['ours', 'dvrv-us-1'], ['theirs', 'dvrv-eu-1']]) {
    const tenant = new Tenant(daemon, await newOrg(daemon.data, name, { partition }));
    tenant.to = receiver.endpoint(`/${name}`);
    tenant.webhook_ = await tenant.activeWebhook(tenant.to, { headers: [{ name: 'x-canary', value: `header-of-${name}` }] });
    tenant.event = (await tenant.ok('events.publish', event('work_created', { canary: `payload-of-${name}` }))).event;
    await daemon.settle();
    [tenant.delivery] = (await tenant.ok('deliveries.list', {})).deliveries;
    const gone = (await tenant.ok('webhooks.create', { url: tenant.to.url })).webhook;
    await tenant.ok('webhooks.delete', { id: gone.id });
    tenant.gone = gone;
    tenants.push(tenant);
  }
  return tenants;
}

const last = (don) => don.split(':').slice(-1)[0];

/**
 * What `us` may ask of each kind of object that it does not have: theirs, theirs under our name, unknown, deleted (where
 * that leaves nothing to see).
 */
function foreign(us, them) {
  const short = last(them.webhook_.id).split('/')[1];
  const x = last(them.delivery.id).split('/')[1];
  const unknown = `webhook/zzzzzzzz:delivery/${x}`;
  return {
    webhook: [them.webhook_.id, us.don(`webhook/${short}`), us.don('webhook/zzzzzzzz'), them.don('webhook/zzzzzzzz'), them.gone.id, us.gone.id, us.webhook_.id.replace(us.partition, them.partition), us.webhook_.id.replace(us.id, them.id)],
    event: [them.event.id, us.don(last(them.event.id)), us.don('event/zzzzzzzzzzzzzz'), them.don('event/zzzzzzzzzzzzzz'), `${them.webhook_.id}:${last(them.event.id)}`, us.event.id.replace(us.id, them.id)],
    delivery: [them.delivery.id, us.don(`webhook/${short}:delivery/${x}`), us.don(unknown), them.don(unknown), us.delivery.id.replace(us.id, them.id), `${us.webhook_.id}:delivery/${x}`],
  };
}

/** Routes that name one object: in which field, of which kind, with which other fields. */
const NAMES = {
  '/events.get': ['id', 'event'],
  '/deliveries.get': ['id', 'delivery'],
  '/deliveries.redeliver': ['id', 'delivery'],
  '/webhooks.get': ['id', 'webhook'],
  '/webhooks.update': ['id', 'webhook', { action: 'deactivate', secret: 'a-secret-of-others' }],
  '/webhooks.delete': ['id', 'webhook'],
  '/webhooks.fetch': ['id', 'webhook', { object: 'ISS-1' }],
};

/** Routes that list: which filters name an object, and which other ones there are. */
const LISTS = {
  '/events.list': { filters: {}, others: [{}, { type: 'work_created' }, { limit: 1 }] },
  '/webhooks.list': { filters: {}, others: [{}, { status: ['active'] }, { status: ['unverified', 'inactive'] }] },
  '/deliveries.list': { filters: { webhook: 'webhook', event: 'event' }, others: [{}, ...['pending', 'in_flight', 'held', 'delivered', 'failed', 'dropped'].map((state) => ({ state })), { limit: 1 }] },
};

/** Routes that neither name nor list what is there: a request that is answered. */
const PLAIN = {
  '/events.publish': () => event('tag_created'),
  '/events.sample': () => ({ type: 'work_created' }),
  '/webhooks.create': (us) => ({ url: us.to.url }),
  '/clock.get': () => ({}),
  '/clock.advance': () => ({ ms: 0 }),
};

describe('what one organisation has, another one', () => {
  let daemon;
  let receiver;
  let us;
  let them;
  before(async () => {
    receiver = await startReceiver();
    daemon = await startDaemon();
    [us, them] = await furnish(daemon, receiver);
  });
  after(() => tearDown(daemon, receiver));

  const secrets = () => [them.id, them.webhook_.secret, 'header-of-theirs', 'payload-of-theirs', them.to.url, last(them.webhook_.id).split('/')[1], last(them.event.id).split('/')[1], last(them.delivery.id).split('/')[1]];
  const assertSilent = (res, what, asked = '') => {
    for (const secret of secrets().filter((word) => !asked.includes(word))) assert.ok(!res.text.includes(secret), `${what} tells ${secret}: ${res.text}`);
  };

  proves('every route is looked at here', () => {
    const tenant = routes.filter((r) => r.scope !== null && r.scope !== 'metrics').map((r) => r.path);
    assert.deepEqual([...Object.keys(NAMES), ...Object.keys(LISTS), ...Object.keys(PLAIN)].sort(), tenant.sort());
  });

  for (const route of routes.filter((r) => NAMES[r.path])) {
    proves(`${route.path}: finds nothing of it, with the same bytes as for what never was`, async () => {
      const [field, kind, rest = {}] = NAMES[route.path];
      const before = await them.all();
      for (const prefix of ['', '/internal']) {
        for (const method of route.methods) {
          for (const id of foreign(us, them)[kind]) {
            const res = await us.ask(route, method, { [field]: id, ...rest }, prefix);
            assertError(res, 404, 'not_found', {}, `${method} ${route.path} ${id}`);
            assert.equal(res.text, '{"message":"Not Found","type":"not_found"}', id);
          }
        }
      }
      assert.deepEqual(await them.all(), before, 'and nothing of it has changed');
      const own = await us.ask(route, 'POST', { [field]: us[kind === 'webhook' ? 'webhook_' : kind].id, ...(rest.action ? {} : rest) });
      if (route.path !== '/webhooks.delete') assert.ok(own.status < 300, `its own is found: ${own.text}`);
      if (route.path === '/webhooks.delete') us.webhook_ = await us.activeWebhook(us.to);
      await daemon.settle();
      if (route.path === '/deliveries.redeliver') await until(async () => (await us.ok('deliveries.get', { id: us.delivery.id })).delivery.state === 'delivered', 5000, () => 'the redelivery');
    });
  }

  for (const route of routes.filter((r) => LISTS[r.path])) {
    proves(`${route.path}: does not see it, by no filter and no cursor`, async () => {
      const { filters, others } = LISTS[route.path];
      const [field] = Object.keys(await us.ok(route.path, {}));
      for (const method of route.methods) {
        for (const other of others) {
          const res = await us.ask(route, method, other);
          assert.equal(res.status, 200, res.text);
          assertSilent(res, `${method} ${route.path} ${JSON.stringify(other)}`);
        }
        for (const [name, kind] of Object.entries(filters)) {
          for (const id of foreign(us, them)[kind].filter((one) => one !== us.gone.id)) {
            const res = await us.ask(route, method, { [name]: id });
            assert.deepEqual([res.status, res.body], [200, { [field]: [] }], `${name}=${id}: ${res.text}`);
          }
        }
      }
      const { next_cursor: cursor } = await them.ok(route.path, route.path === '/webhooks.list' ? {} : { limit: 1 });
      if (cursor) assertSilent(await us.call(route.path, { cursor }), 'a cursor of theirs');
    });
  }

  for (const route of routes.filter((r) => PLAIN[r.path])) {
    proves(`${route.path}: is not told of it`, async () => {
      const res = await us.call(route.path, PLAIN[route.path](us));
      assert.ok(res.status < 300, res.text);
      assertSilent(res, route.path);
    });
  }

  proves('gets no events of it', async () => {
    await daemon.settle();
    us.to.clear();
    them.to.clear();
    await us.ok('events.publish', event('work_created', { canary: 'payload-of-ours' }));
    await daemon.settle();
    assert.equal(us.to.events().length, 1);
    assert.equal(them.to.events().length, 0);
    assert.ok(us.to.events()[0].body.id.startsWith(us.don('webhook/')), us.to.events()[0].body.id);
  });

  proves('is not told of its webhooks by the service\'s own events', async () => {
    const watching = await us.activeWebhook(receiver.endpoint('/watching'), { event_types: ['webhook_created', 'webhook_updated', 'webhook_deleted'] });
    const to = receiver.endpoint('/watching');
    const { webhook } = await them.ok('webhooks.create', { url: them.to.url });
    await them.ok('webhooks.update', { id: webhook.id, event_types: { set: ['tag_created'] } });
    await them.ok('webhooks.delete', { id: webhook.id });
    await daemon.settle();
    assert.equal(to.events().length, 0, to.events().map((r) => r.text).join());
    await us.ok('webhooks.update', { id: us.webhook_.id, event_types: { add: ['tag_created'] } });
    await daemon.settle();
    assert.deepEqual(to.events().map((r) => r.body.webhook_updated.webhook.id), [us.webhook_.id], 'but of its own');
    await us.ok('webhooks.delete', { id: watching.id });
  });

  proves('cannot fetch its objects', async () => {
    const to = receiver.endpoint('/fetching');
    const webhook = await us.activeWebhook(to, { event_types: [] });
    const secret = { type: 'issue', display_id: 'ISS-777', id: 'don:core:dvrv-us-1:devo/x:issue/777', owned_by: [], title: 'payload-of-theirs' };
    await them.ok('events.publish', { type: 'work_created', work_created: { work: secret } });
    for (const object of [secret.id, secret.display_id]) await us.ok('webhooks.fetch', { id: webhook.id, object });
    await daemon.settle();
    assert.deepEqual(to.events().map((r) => r.body.work_fetched.result), ['not_found', 'not_found']);
  });

  proves('has Idempotency-Keys of its own', async () => {
    const options = { headers: { 'Idempotency-Key': 'the-same-key' } };
    const theirs = await them.ok('events.publish', event('tag_created'), options);
    const ours = await us.call('events.publish', event('tag_created', { other: 'body' }), options);
    assert.equal(ours.status, 202, ours.text);
    assert.equal(ours.headers['idempotent-replayed'], undefined);
    assertSilent(ours, 'the answer under their key');
    const again = await them.call('events.publish', event('tag_created'), options);
    assert.deepEqual([again.headers['idempotent-replayed'], again.body], ['true', theirs]);
  });
});

describe('scopes', () => {
  let daemon;
  const tokens = {};
  before(async () => {
    daemon = await startDaemon({ dev: false, env: { REVHOOK_TOKEN: 'the-own-token' }, token: 'the-own-token' });
    for (const scope of SCOPES) tokens[scope] = (await newToken(daemon.data, 'dev0', scope)).token;
    tokens.all = (await newToken(daemon.data, 'dev0', SCOPES.join(','))).token;
    const { token, tokenId } = await newToken(daemon.data, 'dev0', SCOPES.join(','));
    await adminOk(daemon.data, 'token', 'revoke', tokenId);
    tokens.revoked = token;
    tokens.expired = (await newToken(daemon.data, 'dev0', SCOPES.join(','), '1h')).token;
    await daemon.advance(3600 * 1000);
  });
  after(() => tearDown(daemon));

  for (const route of routes) {
    for (const method of route.methods) {
      proves(`${method} ${route.path} takes ${route.scope ?? 'no token'}`, async () => {
        const ask = (token) => (method === 'GET' ? daemon.get(route.path, { token }) : daemon.call(route.path, {}, { token }));
        for (const scope of SCOPES) {
          const res = await ask(tokens[scope]);
          if (route.scope === null || scope === route.scope) assert.ok(![401, 403].includes(res.status), `${scope}: ${res.text}`);
          else {
            assertError(res, 403, 'forbidden', {}, scope);
            assert.equal(res.body.detail, `the token has not the scope ${route.scope}`);
          }
        }
        for (const token of [tokens.all, 'the-own-token']) assert.ok(![401, 403].includes((await ask(token)).status), token);
        const closed = [[null, 'unauthenticated'], ['wrong', 'unauthenticated'], [tokens.revoked, 'token_revoked'], [tokens.expired, 'token_expired'], [tokens.all.slice(0, -1), 'unauthenticated'], [`${tokens.all}x`, 'unauthenticated']];
        for (const [token, type] of closed) {
          const res = await ask(token);
          if (route.scope === null) assert.ok(![401, 403].includes(res.status), res.text);
          else assertError(res, 401, type, {}, String(token));
        }
      });
    }
  }

  proves('a rate that is used up is told before a scope that is missing', async () => {
    const own = await startDaemon({ set: { rate_limit_per_minute: 1 } });
    try {
      const { token } = await newToken(own.data, 'dev0', 'publish');
      assertError(await own.call('webhooks.list', {}, { token }), 403, 'forbidden');
      assertError(await own.call('webhooks.list', {}, { token }), 429, 'too_many_requests', { retry_after: (n) => n >= 1 });
      assert.equal((await own.call('webhooks.list', {})).status, 200, 'another token has a rate of its own');
    } finally {
      await own.end();
    }
  });
});

inWorld('a token without manage sees no secret and no headers of webhooks', async ({ daemon, to }) => {
  const webhook = await daemon.createWebhook({ url: to.url, headers: [{ name: 'x-key', value: 'canary' }] });
  const { token } = await newToken(daemon.data, 'dev0', 'read');
  const { headers, ...rest } = await daemon.webhook(webhook.id);
  assert.deepEqual(headers, [{ name: 'x-key', value: 'canary' }]);
  for (const [name, body, of] of [['webhooks.get', { id: webhook.id }, (b) => b.webhook], ['webhooks.list', {}, (b) => b.webhooks[0]]]) {
    assert.deepEqual(of(await daemon.ok(name, body, { token })), { ...rest, secret: '' });
  }
});

inWorld('a token ends when its time is over, or at once when it is revoked, and stays so over a restart', async ({ daemon }) => {
  const { token, tokenId } = await newToken(daemon.data, 'dev0', 'read', '30d');
  const other = await newToken(daemon.data, 'dev0', 'read', new Date((await daemon.now()) + 60 * DAY).toISOString());
  const answer = async (which) => (await daemon.call('webhooks.list', {}, { token: which })).body?.type ?? 'ok';
  await daemon.advance(30 * DAY - 1);
  assert.deepEqual([await answer(token), await answer(other.token)], ['ok', 'ok']);
  await daemon.advance(1);
  assert.deepEqual([await answer(token), await answer(other.token)], ['token_expired', 'ok']);
  await adminOk(daemon.data, 'token', 'revoke', other.tokenId);
  assert.equal(await answer(other.token), 'token_revoked');
  await adminOk(daemon.data, 'token', 'revoke', tokenId);
  assert.equal(await answer(token), 'token_revoked', 'revoked is told before expired');
  await daemon.restart({ kill: true });
  assert.deepEqual([await answer(token), await answer(other.token)], ['token_revoked', 'token_revoked']);
  await daemon.advance(31 * DAY);
  const { tokenId: third } = await newToken(daemon.data, 'dev0', 'read', '1h');
  assert.deepEqual([await answer(token), await answer(other.token)], ['unauthenticated', 'unauthenticated'], 'forgotten after retention_ms');
  assert.ok(Number(third) > Number(other.tokenId), 'numbers are not used again');
});

inWorld('what a token did has its name, and the ids of its organisation', async ({ daemon, to }) => {
  const org = await newOrg(daemon.data, 'Acme', { id: 'acme1', partition: 'dvrv-in-1' });
  const tenant = new Tenant(daemon, org);
  const webhook = await tenant.activeWebhook(to);
  assert.match(webhook.id, /^don:integration:dvrv-in-1:devo\/acme1:webhook\/[A-Za-z0-9]{8}$/);
  assert.equal(webhook.created_by.id, `don:identity:dvrv-in-1:devo/acme1:svcacc/token-${org.tokenId}`);
  await tenant.ok('events.publish', event());
  await daemon.settle();
  const [request] = to.events();
  assert.ok(request.isSignedWith(webhook.secret));
  assert.equal(request.body.webhook_id, webhook.id);
  assert.ok(request.body.id.startsWith(`${webhook.id}:event/`));
  await daemon.restart();
  await tenant.ok('events.publish', event());
  await daemon.settle();
  assert.equal(to.events()[1].body.webhook_id, webhook.id, 'after a restart, too');
  const { deliveries } = await tenant.ok('deliveries.list', {});
  for (const delivery of deliveries) assert.ok(delivery.id.startsWith(`${webhook.id}:delivery/`) && delivery.event.startsWith('don:integration:dvrv-in-1:devo/acme1:event/'));
});
