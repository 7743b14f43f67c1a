// `revhookd admin`: the same answers with a daemon and without one, never two writers on one store, and nobody but the
// service's own user.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe } from 'node:test';
import { admin, adminOk, newOrg, newToken } from './lib/admin.mjs';
import { runToEnd, startDaemon, tempDir } from './lib/daemon.mjs';
import { RFC3339 } from './lib/shapes.mjs';
import { inWorld, proves } from './lib/suite.mjs';

const inFolder = async (fn) => {
  const dir = tempDir();
  try {
    await fn(dir);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
};

const socketOf = (data) => path.join(data, 'admin.sock');

/** Say bytes to the socket of a daemon; what it answers, as text. */
function say(data, bytes, { end = true } = {}) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(socketOf(data), () => (end ? socket.end(bytes) : socket.write(bytes)));
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

/** Every kind of command, good and bad, each with what it must say; the same whoever carries it out. */
async function everything(data) {
  const refused = async (words, said) => {
    const run = await admin(data, words);
    assert.deepEqual([run.code, run.stdout], [1, ''], `${words.join(' ')}: ${run.stdout}${run.stderr}`);
    assert.match(run.stderr, said, words.join(' '));
    assert.match(run.stderr, /^revhookd admin: .*\n$/, 'one line');
  };
  const { org } = await adminOk(data, 'org', 'create', 'Acme Ü "x"', '--id', 'acme1', '--partition', 'dvrv-eu-1');
  assert.match(org.created_date, RFC3339);
  assert.deepEqual({ ...org, created_date: 0 }, { id: 'acme1', partition: 'dvrv-eu-1', name: 'Acme Ü "x"', created_date: 0 });
  const drawn = (await adminOk(data, 'org', 'create', 'drawn')).org;
  assert.match(drawn.id, /^[A-Za-z0-9]{10}$/);
  assert.equal(drawn.partition, 'dvrv-us-1');
  await refused(['org', 'create', 'again', '--id', 'acme1'], /there is an organisation with this id/);
  await refused(['org', 'create', 'again', '--id', 'dev0'], /there is an organisation with this id/);
  for (const id of ['', 'a b', 'a/b', 'a:b', 'ü', 'x'.repeat(33)]) await refused(['org', 'create', 'n', `--id=${id}`], /id: 1 to 32 letters and digits/);
  for (const partition of ['', 'Dvrv', 'a:b', 'x'.repeat(33)]) await refused(['org', 'create', 'n', `--partition=${partition}`], /partition: 1 to 32 small letters/);
  for (const name of ['', 'a\nb', 'x'.repeat(129)]) await refused(['org', 'create', name], /name: 1 to 128 bytes/);
  assert.deepEqual((await adminOk(data, 'org', 'list')).orgs.map((o) => o.id), ['dev0', 'acme1', drawn.id]);

  const { token } = await adminOk(data, 'token', 'create', '--org', 'acme1', '--scopes', 'read,publish', '--expires', '30d', '--name', 'ci');
  assert.match(token.token, /^rvk_[A-Za-z0-9]{43}$/);
  assert.deepEqual([token.org, token.name, token.scopes, token.state, token.revoked_date], ['acme1', 'ci', ['publish', 'read'], 'active', null]);
  assert.equal(Date.parse(token.expires_date) - Date.parse(token.created_date), 30 * 86400 * 1000);
  const second = (await adminOk(data, 'token', 'create', '--org=dev0', '--expires=2999-01-31T00:00:00Z')).token;
  assert.deepEqual([second.scopes, second.expires_date], [['publish', 'manage', 'read'], '2999-01-31T00:00:00.000Z']);
  assert.notEqual(second.token, token.token);
  await refused(['token', 'create', '--org', 'nobody', '--expires', 'never'], /there is no such organisation/);
  for (const scopes of ['', 'write', 'read,', 'read,,manage', 'READ', 'read manage']) await refused(['token', 'create', '--org', 'dev0', '--expires', 'never', `--scopes=${scopes}`], /scopes: words with commas between are needed, of: publish, manage, read, metrics/);
  for (const when of ['', '30', 'soon', '0d', '2001-01-01T00:00:00Z', '2999-02-30T00:00:00Z']) await refused(['token', 'create', '--org', 'dev0', `--expires=${when}`], /expires: a span like 90s/);
  const listed = (await adminOk(data, 'token', 'list')).tokens;
  assert.deepEqual(listed.map((t) => [t.id, t.org, t.state]), [[token.id, 'acme1', 'active'], [second.id, 'dev0', 'active']]);
  assert.ok(!JSON.stringify(listed).includes('rvk_'), 'no token is shown again');
  assert.deepEqual((await adminOk(data, 'token', 'list', '--org', 'dev0')).tokens.map((t) => t.id), [second.id]);

  assert.equal((await adminOk(data, 'token', 'revoke', token.id)).token.state, 'revoked');
  await refused(['token', 'revoke', token.id], /revoked already/);
  await refused(['token', 'revoke', '999'], /there is no such token/);
  for (const id of ['0', 'x', '1x', '', '99999999999999999999']) await refused(['token', 'revoke', `${id}`], /id: the number of a token/);
  const after = (await adminOk(data, 'token', 'list')).tokens[0];
  assert.equal(after.state, 'revoked');
  assert.match(after.revoked_date, RFC3339);

  const third = (await adminOk(data, 'token', 'create', '--org', 'acme1', '--expires', 'never')).token;
  assert.deepEqual((await adminOk(data, 'org', 'revoke', 'acme1')).org, { id: 'acme1', tokens_revoked: 1 });
  assert.deepEqual((await adminOk(data, 'org', 'revoke', 'acme1')).org, { id: 'acme1', tokens_revoked: 0 });
  await refused(['org', 'revoke', 'nobody'], /there is no such organisation/);
  assert.deepEqual((await adminOk(data, 'token', 'list')).tokens.map((t) => t.state), ['revoked', 'active', 'revoked']);
  return { token: token.token, second: second.token, third: third.token };
}

describe('with a daemon and without', () => {
  proves('the commands do the same, and what was done without a daemon counts when one starts', () => inFolder(async (data) => {
    const made = await everything(data);
    assert.equal(fs.existsSync(socketOf(data)), false);
    const daemon = await startDaemon({ data, dev: false, clock: 'real', token: made.second });
    try {
      assert.equal((await daemon.call('webhooks.list', {})).status, 200, 'the daemon needs no token of its own');
      for (const token of [made.token, made.third]) assert.equal((await daemon.call('webhooks.list', {}, { token })).body.type, 'token_revoked');
      assert.deepEqual((await adminOk(data, 'org', 'list')).orgs.length, 3);
    } finally {
      await daemon.end();
    }
  }));

  inWorld('the same from a daemon, and at once', { clock: 'real' }, async ({ daemon }) => {
    const made = await everything(daemon.data);
    assert.equal((await daemon.call('webhooks.list', {}, { token: made.second })).status, 200);
    for (const token of [made.token, made.third]) assert.equal((await daemon.call('webhooks.list', {}, { token })).body.type, 'token_revoked');
    for (const secret of [made.token, made.second]) assert.ok(!daemon.stderr.includes(secret), 'no token is logged');
    const logged = [...daemon.stderr.matchAll(/ info admin group=(\w+) verb=(\w+) id=(\w+)/g)].map(([, ...fields]) => fields.join(' '));
    assert.deepEqual(logged.filter((line) => !line.startsWith('org create') || line.endsWith('acme1')), ['org create acme1', 'token create 1', 'token create 2', 'token revoke 1', 'token create 3', 'org revoke acme1', 'org revoke acme1'], 'but who changed what is');
    await daemon.stop();
    for (const name of fs.readdirSync(daemon.data)) {
      const bytes = fs.readFileSync(path.join(daemon.data, name));
      for (const secret of [made.token, made.second]) assert.ok(!bytes.includes(secret) && !bytes.includes(secret.slice(4)), `no token in ${name}`);
    }
    assert.equal(fs.existsSync(socketOf(daemon.data)), false, 'the socket is removed');
    assert.deepEqual((await adminOk(daemon.data, 'token', 'list')).tokens.length, 3, 'and it is durable');
  });

  proves('a token made before the first start is all that it needs; without any it says so', () => inFolder(async (data) => {
    const fails = async () => {
      const run = await runToEnd(['--data', data, '--listen', '127.0.0.1:0']);
      assert.ok(run.code > 0, String(run.code));
      assert.match(run.stderr, /an API token is needed: make one with `revhookd admin token create`/);
    };
    await fails();
    assert.deepEqual(fs.readdirSync(data), [], 'and makes no store');
    const { token, tokenId } = await newToken(data, 'dev0', 'read');
    const daemon = await startDaemon({ data, dev: false, clock: 'real', token });
    assert.equal((await daemon.call('webhooks.list', {})).status, 200);
    await daemon.stop();
    await adminOk(data, 'token', 'revoke', tokenId);
    await fails();
  }));

  inWorld('two commands and a daemon at once: everything is done once', async ({ daemon }) => {
    const names = Array.from({ length: 12 }, (_, n) => `org-${n}`);
    await Promise.all(names.map((name) => adminOk(daemon.data, 'org', 'create', name)));
    const seen = (await adminOk(daemon.data, 'org', 'list')).orgs.map((o) => o.name).slice(1);
    assert.deepEqual(seen.sort(), names.sort());
  });

  proves('commands at once without a daemon wait for each other', () => inFolder(async (data) => {
    const names = Array.from({ length: 6 }, (_, n) => `org-${n}`);
    await Promise.all(names.map((name) => adminOk(data, 'org', 'create', name)));
    assert.equal((await adminOk(data, 'org', 'list')).orgs.length, 7);
  }));

  inWorld('a limit is told', { set: { orgs_max: 2, tokens_max: 1 } }, async ({ daemon }) => {
    await adminOk(daemon.data, 'org', 'create', 'second');
    assert.match((await admin(daemon.data, ['org', 'create', 'third'])).stderr, /as many organisations as orgs_max allows/);
    await newToken(daemon.data, 'dev0', 'read');
    assert.match((await admin(daemon.data, ['token', 'create', '--org', 'dev0', '--expires', 'never'])).stderr, /as many tokens as tokens_max allows/);
  });
});

describe('never two writers', () => {
  inWorld('a daemon that does not listen is left alone: a store that is in use is not written to', async ({ daemon }) => {
    fs.unlinkSync(socketOf(daemon.data));
    const runs = [['org', 'create', 'x'], ['org', 'list']].map((words) => admin(daemon.data, words, { ms: 20000 }));
    for (const run of await Promise.all(runs)) {
      assert.deepEqual([run.code, run.stdout], [1, '']);
      assert.match(run.stderr, new RegExp(`is in use by process ${daemon.child.pid}`));
    }
  });

  inWorld('a socket that a killed daemon has left is no daemon', async ({ daemon }) => {
    await daemon.kill();
    assert.ok(fs.existsSync(socketOf(daemon.data)));
    await adminOk(daemon.data, 'org', 'create', 'meanwhile');
    await daemon.start();
    assert.deepEqual((await adminOk(daemon.data, 'org', 'list')).orgs.map((o) => o.name), ['first organisation', 'meanwhile']);
  });

  proves('a directory without a store is no place to look into, and none is made by looking', () => inFolder(async (dir) => {
    const data = path.join(dir, 'typo');
    for (const words of [['org', 'list'], ['token', 'list'], ['token', 'revoke', '1']]) {
      const run = await admin(data, words);
      assert.equal(run.code, 1);
      assert.match(run.stderr, /typo has no store; name the service's data directory with --data/);
    }
    assert.equal(fs.existsSync(data), false);
  }));
});

describe('the socket', () => {
  const root = process.getuid() === 0;
  const NOBODY = 65534;

  inWorld('is for its user alone', async ({ daemon }) => {
    const { mode } = fs.statSync(socketOf(daemon.data));
    assert.equal(mode & 0o777, 0o600);
  });

  inWorld('another user is refused by the file, and by the daemon where the file would let him in', async ({ daemon, t }) => {
    if (!root) return t.skip('only root can be another user');
    const asOther = (words) => admin(daemon.data, words, { uid: NOBODY });
    assert.match((await asOther(['org', 'list'])).stderr, /cannot open|Permission denied|another user/);
    fs.chmodSync(daemon.data, 0o755);
    const byFile = await asOther(['org', 'list']);
    assert.deepEqual([byFile.code, byFile.stdout], [1, '']);
    assert.match(byFile.stderr, /runs as another user; run this as that user, or as root/);
    fs.chmodSync(socketOf(daemon.data), 0o666);
    for (const words of [['org', 'list'], ['org', 'create', 'x'], ['token', 'create', '--org', 'dev0', '--expires', 'never']]) {
      const byDaemon = await asOther(words);
      assert.deepEqual([byDaemon.code, byDaemon.stdout], [1, ''], byDaemon.stderr);
      assert.match(byDaemon.stderr, /only the user that the service runs as, and root, may/);
    }
    assert.equal((await adminOk(daemon.data, 'org', 'list')).orgs.length, 1, 'nothing was done');
  });

  proves('what root makes in a directory of the service\'s user is that user\'s', (t) => inFolder(async (dir) => {
    if (!root) return t.skip('only root can make files for others');
    const data = path.join(dir, 'data');
    fs.mkdirSync(data, 0o700);
    fs.chownSync(data, NOBODY, NOBODY);
    fs.chmodSync(dir, 0o755);
    await newOrg(data, 'made by root');
    for (const name of fs.readdirSync(data)) assert.equal(fs.statSync(path.join(data, name)).uid, NOBODY, name);
    const asUser = await admin(data, ['org', 'list', '--json'], { uid: NOBODY });
    assert.equal(asUser.body.orgs.length, 2, asUser.stderr);
  }));

  inWorld('what is no request is answered, and does not hold up the next', async ({ daemon }) => {
    const cases = [
      ['', 'parse_error'], ['{', 'parse_error'], ['[]', 'unexpected_json_type'], ['{}', 'missing_required_field'], ['{"group":"org"}', 'missing_required_field'],
      ['{"group":"org","verb":"burn"}', 'bad_request'], ['{"group":"org","verb":"create"}', 'missing_required_field'],
      ['{"group":"org","verb":"create","name":1}', 'unexpected_json_type'], ['{"group":"org","verb":"create","name":"a","x":"b"}', 'invalid_field'],
      ['{"group":"org","verb":["create"],"name":"a"}', 'missing_required_field'],
    ];
    for (const [bytes, type] of cases) {
      const text = await say(daemon.data, bytes);
      assert.equal(JSON.parse(text).error.type, type, `${bytes}: ${text}`);
    }
    assert.equal(await say(daemon.data, `{"group":"org","verb":"create","name":"${'x'.repeat(70000)}"}`).catch(() => ''), '', 'too long: let go');
    const silent = net.connect(socketOf(daemon.data));
    const waiting = adminOk(daemon.data, 'org', 'list'); // behind one that says nothing
    assert.equal((await waiting).orgs.length, 1);
    silent.destroy();
  });

  inWorld('a client that says nothing does not hold up the end', async ({ daemon }) => {
    const silent = net.connect(socketOf(daemon.data));
    await new Promise((resolve) => silent.on('connect', resolve));
    const ended = new Promise((resolve) => silent.resume().on('error', () => {}).on('close', resolve));
    await daemon.stop();
    await ended;
    await daemon.start();
  });
});

describe('a daemon that stands still', { skip: process.env.TEST_SCALE === 'full' ? false : 'takes more than a minute: TEST_SCALE=full' }, () => {
  proves('is given up, asked or not even let in', { timeout: 120000 }, async () => {
    const daemon = await startDaemon();
    const waiting = [];
    const list = () => admin(daemon.data, ['org', 'list'], { ms: 75000 });
    daemon.child.kill('SIGSTOP');
    try {
      const asked = await list();
      assert.deepEqual([asked.code, asked.stdout], [1, '']);
      assert.match(asked.stderr, /took the request and did not answer/);
      for (let n = 0; n < 20; n++) waiting.push(net.connect(socketOf(daemon.data)).on('error', () => {}));
      const refused = await list();
      assert.deepEqual([refused.code, refused.stdout], [1, '']);
      assert.match(refused.stderr, /in use|another/);
    } finally {
      for (const socket of waiting) socket.destroy();
      daemon.child.kill('SIGCONT');
      await daemon.end();
    }
  });
});

describe('the command line', () => {
  const run = (...words) => runToEnd(['admin', ...words]);

  proves('wrong words are told with exit status 2, before anything is touched', async () => {
    const cases = [
      [[], /Usage: revhookd admin/], [['org'], /Usage: revhookd admin org create/], [['what'], /no such command/], [['org', 'burn'], /no such command/],
      [['org', 'list', 'more'], /"more" is one word too many/], [['org', 'create'], /NAME is missing/], [['org', 'create', 'a', '--burn'], /there is no option "--burn"/],
      [['org', 'create', 'a', '--id'], /--id needs a value/], [['org', 'create', 'a', '--id', 'x', '--id', 'y'], /--id is there twice/],
      [['token', 'create', '--expires', 'never'], /--org ORG is missing/], [['token', 'create', '--org', 'a'], /--expires WHEN is missing/], [['token', 'revoke'], /ID is missing/],
      [['org', 'list', '--set', 'nothing=1'], /there is no setting "nothing"/], [['--burn'], /there is no option "--burn"/],
    ];
    for (const [words, said] of cases) {
      const { code, stdout, stderr } = await run(...words);
      assert.deepEqual([code, stdout], [2, ''], `${words.join(' ')}: ${stdout}${stderr}`);
      assert.match(stderr, said, words.join(' '));
    }
  });

  proves('help names every command, option and scope', async () => {
    const { code, stdout } = await run('--help');
    assert.equal(code, 0);
    for (const text of ['org create NAME', 'org list', 'token create --org ORG', 'token list', 'token revoke ID', 'publish ', 'metrics ', '--json']) assert.ok(stdout.includes(text), text);
    const one = await run('token', 'create', '--help');
    assert.equal(one.code, 0);
    for (const text of ['--org ORG', '--scopes LIST', '--expires WHEN', '--name NAME', 'Exit status']) assert.ok(one.stdout.includes(text), text);
    assert.ok(!one.stdout.includes('org create'));
    assert.match((await runToEnd(['--help'])).stdout, /revhookd admin/);
  });

  proves('without --json a list is a table, and a token comes with a word of warning on stderr', () => inFolder(async (data) => {
    await newOrg(data, 'Ünïcode');
    const list = await admin(data, ['org', 'list']);
    const lines = list.stdout.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[0], /^id +partition +name +created_date$/);
    assert.equal([...lines[0]].indexOf('c', 5), [...lines[2]].join('').search(/\d{4}-\d\d-\d\dT/), 'columns stand below each other');
    const made = await admin(data, ['token', 'create', '--org', 'dev0', '--expires', 'never']);
    assert.match(made.stdout, /^token +rvk_[A-Za-z0-9]{43}$/m);
    assert.match(made.stderr, /Keep the token now/);
  }));

  proves('the data directory is found as by revhookd: REVHOOK_DATA, --config, a long path', () => inFolder(async (dir) => {
    const data = path.join(dir, ...Array.from({ length: 10 }, () => 'a-long-name-of-a-folder'));
    fs.mkdirSync(data, { recursive: true, mode: 0o700 });
    const config = path.join(dir, 'settings');
    fs.writeFileSync(config, `data = ${data}\n`);
    const daemon = await startDaemon({ data });
    try {
      for (const [words, env] of [[[], { REVHOOK_DATA: data }], [['--config', config], {}], [['--set', `data=${data}`], {}]]) {
        const { code, stdout, stderr } = await runToEnd(['admin', 'org', 'list', '--json', ...words], { env });
        assert.equal(code, 0, stderr);
        assert.equal(JSON.parse(stdout).orgs.length, 1);
      }
    } finally {
      await daemon.end();
    }
  }));
});
