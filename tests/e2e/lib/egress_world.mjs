// The world of egress.test.mjs, a program to be run in a network and mount namespace of its own: a daemon that a tenant
// tries to talk into dialling what it must not.
//
//   this namespace: revhookd, this program, a DNS server whose answers the checks set, and a listener on every own address
//   another one:    egress_victim.mjs, which has every other address there is (all of IPv4, 2000::/3, fc00::/8 ...)
//
// Nothing here leaves the machine: the two namespaces have a wire between them and none to anywhere else.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon, tempDir } from './daemon.mjs';
import { event } from './shapes.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const TOKEN = 'a-token-of-the-tenant';
const PUBLIC = '93.184.216.34';
const PUBLIC6 = '2606:4700::1111';
const OWN_PUBLIC = '198.41.0.99'; // a public address that this host has

const ip = (...args) => execFileSync('ip', args);

// ---- names

/** name -> (count of the query, from 1) => [addresses]; a name that is not there does not exist. */
const names = new Map();
const queries = new Map();

function addressBytes(address) {
  if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head, tail] = address.split('::');
  const words = (text) => (text ? text.split(':').map((word) => parseInt(word, 16)) : []);
  const [front, back] = [words(head), words(tail)];
  const all = address.includes('::') ? [...front, ...Array(8 - front.length - back.length).fill(0), ...back] : front;
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}

function reply(query) {
  let at = 12;
  const labels = [];
  while (query[at] > 0) {
    labels.push(query.subarray(at + 1, at + 1 + query[at]).toString());
    at += 1 + query[at];
  }
  const name = labels.join('.').toLowerCase();
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(12, at + 5);
  const answers = [];
  if (names.has(name)) {
    const key = `${name}/${type}`;
    queries.set(key, (queries.get(key) ?? 0) + 1);
    for (const address of names.get(name)(queries.get(key))) {
      if ((type === 1) === net.isIPv4(address) && (type === 1 || type === 28)) answers.push(addressBytes(address));
    }
  }
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(names.has(name) ? 0x8580 : 0x8583, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(answers.length, 6);
  const rows = answers.map((bytes) => Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length]), bytes]));
  return Buffer.concat([head, question, ...rows]);
}

async function serveNames() {
  const server = dgram.createSocket('udp4');
  server.on('message', (query, from) => server.send(reply(query), from.port, from.address));
  await new Promise((resolve) => server.bind(53, '127.0.0.1', resolve));
  const dir = tempDir();
  const put = (file, text) => {
    const own = path.join(dir, path.basename(file));
    fs.writeFileSync(own, text);
    execFileSync('mount', ['--bind', own, fs.realpathSync(file)]);
  };
  put('/etc/resolv.conf', 'nameserver 127.0.0.1\noptions timeout:2\n');
  put('/etc/nsswitch.conf', 'hosts: dns\npasswd: files\ngroup: files\n');
  return server;
}

// ---- the two ends of the wire

/** Listens on every address of this namespace; answers the list of those that were called. */
async function watchOwn() {
  const called = [];
  for (const port of [80, 8080, 443]) {
    const server = net.createServer((socket) => {
      called.push(`${socket.localAddress}:${port}`);
      socket.destroy();
    });
    await new Promise((resolve) => server.listen(port, '::', resolve));
    server.unref();
  }
  return called;
}

async function startVictim() {
  ip('link', 'set', 'lo', 'up');
  ip('addr', 'add', `${OWN_PUBLIC}/32`, 'dev', 'lo');
  const child = spawn('unshare', ['--net', process.execPath, path.join(here, 'egress_victim.mjs')], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', () => reject(new Error('the other end ended')));
  });
  const there = (...args) => execFileSync('nsenter', ['-t', String(child.pid), '-n', ...args]).toString();
  ip('link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', String(child.pid));
  for (const [run, own, other] of [[ip, '1', '2'], [(...args) => there('ip', ...args), '2', '1']]) {
    run('link', 'set', 'lo', 'up');
    run('link', 'set', 'wire', 'up');
    run('addr', 'add', `192.0.2.${own}/30`, 'dev', 'wire');
    run('-6', 'addr', 'add', `fd99::${own}/64`, 'dev', 'wire', 'nodad');
    run('route', 'add', 'default', 'via', `192.0.2.${other}`);
    run('-6', 'route', 'add', 'default', 'via', `fd99::${other}`);
  }
  there('ip', 'route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo');
  for (const network of ['2000::/3', 'fc00::/8', 'fd00::/16', '64:ff9b::/32', '4000::/3', '::/16']) {
    there('ip', '-6', 'route', 'add', 'local', network, 'dev', 'lo');
  }
  return {
    /** Connections so far by address. */
    calls: () => new Promise((resolve) => {
      child.once('message', resolve);
      child.send('calls');
    }),
    /** Resets that it sent: somebody knocked where nobody listens. */
    resets: () => {
      const [keys, values] = there('cat', '/proc/net/snmp').split('\n').filter((line) => line.startsWith('Tcp:')).map((line) => line.split(' '));
      return Number(values[keys.indexOf('OutRsts')]);
    },
    end: () => child.disconnect(),
  };
}

// ---- what is tried

const DENIED4 = [
  '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.1.2.3', '127.255.255.254',
  '168.63.129.16', '169.254.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.0.2.2', '192.31.196.1',
  '192.52.193.1', '192.88.99.1', '192.168.0.1', '192.168.255.255', '192.175.48.1', '198.18.0.1', '198.19.255.255', '198.51.100.1',
  '203.0.113.1', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255', OWN_PUBLIC,
];
const DENIED6 = [
  '::', '::1', '::7f00:1', '::a00:1', '64:ff9b::a00:1', '64:ff9b::a9fe:a9fe', '100::1', '2001::1', '2001:db8::1', '2002:a00:1::', '2002:7f00:1::1',
  '3fff::1', '2620:4f:8000::1', '4000::1', 'fc00::1', 'fd00::1', 'fd00:ec2::254', 'fd99::1', 'fd99::2', 'fe80::1', 'ff02::1',
];
const words = (address) => address.split('.').map(Number);
const hex = (number, digits = 2) => number.toString(16).padStart(digits, '0');
const octal = (number) => `0${number.toString(8)}`;

/** The forms in which a URL can have an IPv4 address. */
function formsOf(address) {
  const [a, b, c, d] = words(address);
  const whole = ((a * 256 + b) * 256 + c) * 256 + d;
  return [
    address, String(whole), `0x${hex(whole, 8)}`, octal(whole), [a, b, c, d].map(octal).join('.'), [a, b, c, d].map((n) => `0x${hex(n)}`).join('.'),
    `${a}.${b}.${c * 256 + d}`, `${a}.${(b * 256 + c) * 256 + d}`, `${octal(a)}.${b}.0x${hex(c)}.${d}`,
    `[::ffff:${address}]`, `[::ffff:${hex(a)}${hex(b)}:${hex(c)}${hex(d)}]`, `[0:0:0:0:0:FFFF:${address}]`,
    `[::${address}]`, `[64:ff9b::${address}]`, `[2002:${hex(a)}${hex(b)}:${hex(c)}${hex(d)}::]`,
    `${address}.`, `[${address}]`, `user@${address}`, `user:pw@${address}`, `${PUBLIC}@${address}`, `${address}%00.example.com`, `${address}%2eexample.com`,
    [...address].map((char) => (char === '.' ? '.' : `%3${char}`)).join(''), address.replaceAll('.', '\u3002'), address.replace('.', '%2e'),
  ];
}

const HOSTILE = [
  'http:///10.0.0.1/', 'http:10.0.0.1/', 'http:/10.0.0.1/', 'http://\\10.0.0.1/', 'http://10.0.0.1\\@example.com/', 'http://example.com\\@10.0.0.1/',
  'http://example.com#@10.0.0.1/', 'http://example.com:80#@10.0.0.1:80/', 'http://10.0.0.1:80:80/', 'http://10.0.0.1 /', 'http://10.0.0.1\t/', 'http://10.0.0.1\r\n/',
  'http://10.0.0.1:/', 'http://10.0.0.1:0/', 'http://10.0.0.1:99999/', 'http://[fe80::1%25lo]/', 'http://[::1%lo]/', 'http://[::1', 'http://::1/',
  'http://localhost./', 'http://a..b/', 'http://.10.0.0.1/', 'http://256.1.1.1/', 'http://1.2.3.4.5/', 'http://0x7f.0x0.0x0.0x1.0x1/', 'http://foo.0x7f/',
  'gopher://10.0.0.1/', 'file:///etc/passwd', 'ftp://10.0.0.1/', 'dict://10.0.0.1/', 'ldap://10.0.0.1/', 'tftp://10.0.0.1/', 'unix:///run/x', '//10.0.0.1/', '10.0.0.1',
];

const v6 = (address) => (address.includes(':') ? `[${address}]` : address);

async function start(set = {}) {
  return startDaemon({ dev: false, token: TOKEN, env: { REVHOOK_TOKEN: TOKEN }, set: { http_targets: 'any', verify_per_host_max: 0, rate_limit_per_minute: 0, ...set } });
}

/** All that can be told from the URL is refused when the webhook is created. */
async function refuseLiterals(daemon) {
  const urls = [...HOSTILE];
  for (const address of DENIED4) urls.push(...formsOf(address).map((host) => `http://${host}/`));
  for (const address of DENIED6) urls.push(`http://[${address}]/`, `https://[${address}]:8080/`, `http://user@[${address}]/`);
  for (const url of urls) {
    const res = await daemon.call('webhooks.create', { url, event_types: [] });
    assert.equal(res.status, 400, `${JSON.stringify(url)}: ${res.status} ${res.text}`);
    assert.equal(res.body.field_name, 'url', `${JSON.stringify(url)}: ${res.text}`);
    assert.ok(res.body.reason ?? res.body.detail, `${JSON.stringify(url)} is told why: ${res.text}`);
  }
  return urls.length;
}

const outcomes = (daemon, id) => [...daemon.stderr.matchAll(new RegExp(`verify_ended webhook=${id} outcome=(\\w+)`, 'g'))].map((match) => match[1]);

async function everyOutcome(daemon, id, expected, count) {
  const seen = outcomes(daemon, id);
  assert.deepEqual([seen.length, [...new Set(seen)]], [count, [expected]], `verify requests of ${id}: ${seen}\n${daemon.stderrTail(5)}`);
}

/** Names can only be judged when they are dialled: each answer below is a trap. */
async function dialNames(daemon) {
  const traps = new Map();
  [...DENIED4, ...DENIED6].forEach((address, i) => traps.set(`one-${i}.test`, () => [address]));
  traps.set('both.test', () => ['10.0.0.1', 'fd00::1', '127.0.0.1', '::1']);
  traps.set('localhost', () => ['127.0.0.1', '::1']);
  traps.set('10.0.0.1.test', () => ['10.0.0.1']);
  const ids = [];
  for (const [name, answer] of traps) {
    names.set(name, answer);
    for (const url of [`http://${name}/`, `https://${name}/`, `http://${name}:8080/`]) ids.push((await daemon.createWebhook({ url, event_types: ['work_created'] })).id);
  }
  await daemon.settle();
  await daemon.advance(180000);
  for (const id of ids) {
    await everyOutcome(daemon, id, 'address_denied', 8);
    assert.equal((await daemon.webhook(id)).status, 'unverified');
  }
  return ids.length;
}

/** Of several answers only the public one is dialled. */
async function mixedAnswers(daemon) {
  names.set('mixed-a.test', () => ['10.9.0.1', PUBLIC, '192.168.9.1']);
  names.set('mixed-b.test', () => ['fd00::9', PUBLIC6, '127.0.0.1']);
  for (const name of ['mixed-a.test', 'mixed-b.test']) {
    const { id } = await daemon.createWebhook({ url: `http://${name}/`, event_types: ['work_created'] });
    await daemon.waitActive(id);
  }
  return 2;
}

/** Public when it is verified, private when it is looked up again: for the next port, and by the other senders. */
async function rebind(daemon) {
  names.set('rebind.test', () => [PUBLIC]);
  const { id } = await daemon.createWebhook({ url: 'http://rebind.test/', event_types: ['work_created'] });
  await daemon.waitActive(id);
  names.set('rebind.test', () => ['10.6.6.6']);
  await daemon.update(id, { url: 'http://rebind.test:8080/' });
  const others = [];
  for (let i = 0; i < 30; i++) others.push((await daemon.createWebhook({ url: `http://rebind.test:8080/${i}`, event_types: ['work_created'] })).id);
  await daemon.settle();
  assert.deepEqual(outcomes(daemon, id), ['acknowledged', 'address_denied']);
  for (const other of others) assert.deepEqual(outcomes(daemon, other), ['address_denied']);
  // Each look-up says something else: whatever it was, what is dialled was judged.
  names.set('flip.test', (n) => [n % 2 ? PUBLIC : '169.254.169.254']);
  for (let i = 0; i < 30; i++) await daemon.createWebhook({ url: `http://flip.test/${i}`, event_types: ['work_created'] });
  await daemon.settle();
  await daemon.publish(event());
  await daemon.settle();
  return 61;
}

/** A receiver that is public sends the service elsewhere. */
async function redirect(daemon) {
  const ids = [];
  for (const address of [...DENIED4, ...DENIED6]) {
    const to = encodeURIComponent(`http://${v6(address)}/`);
    ids.push((await daemon.createWebhook({ url: `http://${PUBLIC}/?to=${to}`, event_types: ['work_created'] })).id);
  }
  await daemon.settle();
  for (const id of ids) assert.deepEqual(outcomes(daemon, id), ['redirect']);
  return ids.length;
}

/** The count would have seen it: with everything allowed the same names are dialled. */
async function control(victim, before) {
  const daemon = await start({ allow_targets: '0.0.0.0/0,::/0' });
  try {
    names.set('control.test', () => ['10.6.6.6']);
    await daemon.createWebhook({ url: 'http://control.test/', event_types: [] });
    await daemon.createWebhook({ url: 'http://[fd00::1]/', event_types: [] });
    await daemon.createWebhook({ url: 'http://169.254.169.254/', event_types: [] });
    const own = await daemon.call('webhooks.create', { url: `http://${OWN_PUBLIC}/`, event_types: [] });
    assert.equal(own.status, 400, 'an address of this host is refused in an allowed network, too');
    await daemon.settle();
    const calls = await victim.calls();
    for (const address of ['10.6.6.6', 'fd00::1', '169.254.169.254']) {
      assert.ok(calls[address] > (before[address] ?? 0), `${address} is called once it is allowed: ${JSON.stringify(calls)}`);
    }
  } finally {
    await daemon.end();
  }
}

const victim = await startVictim();
const nameServer = await serveNames();
const ownCalls = await watchOwn();
const daemon = await start();
let refused = 0;
let dialled = 0;
try {
  refused = await refuseLiterals(daemon);
  dialled = (await dialNames(daemon)) + (await mixedAnswers(daemon)) + (await rebind(daemon)) + (await redirect(daemon));
} finally {
  await daemon.end();
}
const calls = await victim.calls();
assert.deepEqual(Object.keys(calls).sort(), [PUBLIC6, PUBLIC].sort(), `only public addresses were called: ${JSON.stringify(calls)}`);
assert.ok(calls[PUBLIC] > 60 && calls[PUBLIC6] >= 1, JSON.stringify(calls));
assert.deepEqual(ownCalls, [], 'nobody called this host');
assert.equal(victim.resets(), 0, 'nobody knocked where nobody listens');
await control(victim, calls);
victim.end();
nameServer.close();
console.log(`every check passed: ${refused} URLs refused, ${dialled} names dialled, 0 denied connections`);
process.exit(0);
