// 0 connections to addresses that may not be dialled, counted at the socket. The daemon runs in a network of its own
// (lib/egress_world.mjs) in which every address in the world is one machine that counts who comes, and in which the test
// says what every name resolves to. Making such a network needs root.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { proves } from './lib/suite.mjs';
import { within } from './lib/wait.mjs';

const WORLD = path.join(path.dirname(fileURLToPath(import.meta.url)), 'lib', 'egress_world.mjs');
const UNSHARE = ['--net', '--mount', '--fork', '--kill-child'];

/** Why there can be no network of its own here; undefined if there can. */
function obstacle() {
  if (process.getuid() !== 0) return 'a network of its own needs root';
  for (const tool of ['ip', 'nsenter']) {
    if (spawnSync(tool, ['-V']).error) return `there is no ${tool}`;
  }
  const tried = spawnSync('unshare', [...UNSHARE, 'ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1']);
  return tried.status === 0 ? undefined : `no network of its own: ${tried.error?.message ?? tried.stderr}`;
}

proves('more than 200 hostile URLs and DNS answers lead to 0 connections to addresses that are denied', { timeout: 120000, skip: obstacle() }, async () => {
  const child = spawn('unshare', [...UNSHARE, process.execPath, WORLD], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (out += chunk));
  try {
    const code = await within(new Promise((resolve) => child.on('close', resolve)), 100000, () => `the end of the world; so far:\n${out}`);
    assert.equal(code, 0, out);
    assert.match(out, /^every check passed: \d+ URLs refused, \d+ names dialled, 0 denied connections$/m);
    const [, refused, dialled] = /(\d+) URLs refused, (\d+) names/.exec(out).map(Number);
    assert.ok(refused >= 200, out);
    assert.ok(dialled >= 60, out);
  } finally {
    child.kill('SIGKILL');
  }
});
