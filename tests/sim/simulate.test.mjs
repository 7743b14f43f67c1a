// revhook simulate: what it prints is decided by the seed alone, the rules hold in a few fixed seeds and in each
// world that once broke one, and what goes wrong is told.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const PROGRAM = path.resolve(process.env.REVHOOK ?? path.join(here, '../../build/revhook'));
const LIMIT_MS = 120000;

function simulate(...args) {
  const run = spawnSync(PROGRAM, ['simulate', ...args.map(String)], { encoding: 'utf8', timeout: LIMIT_MS, maxBuffer: 1 << 28 });
  if (run.error) throw run.error;
  return run;
}

/** Asserts that a run ended well, and returns how many deliveries it simulated. */
function passes(run) {
  assert.equal(run.status, 0, run.stdout.slice(0, 20000) + run.stderr);
  const last = run.stdout.trimEnd().split('\n').at(-1);
  const [, deliveries] = /^(\d+) deliveries, 0 violations$/.exec(last) ?? assert.fail(`last line: ${last}`);
  return Number(deliveries);
}

describe('what is printed', () => {
  test('the seed first, and the same bytes for the same seed', () => {
    const first = simulate('--seed', 42, '--deliveries', 20000);
    const second = simulate('--seed', 42, '--deliveries', 20000);
    assert.ok(passes(first) >= 20000);
    assert.equal(first.stdout.split('\n')[0], 'seed 42');
    assert.equal(first.stdout, second.stdout);
    assert.match(first.stderr, /deliveries, \d+ worlds, [\d.]+ s, \d+ a second\n$/);
  });

  test('another seed is another run', () => {
    const counts = (run) => run.stdout.split('\n').slice(1).join('\n');
    assert.notEqual(counts(simulate('--seed', 1, '--deliveries', 5000)), counts(simulate('--seed', 2, '--deliveries', 5000)));
  });

  test('one world alone, with everything that happens in it', () => {
    const run = simulate('--seed', 7, '--world', 1, '--trace');
    passes(run);
    for (const kind of ['STARTED', 'ASKED_PUBLISH', 'COMMITTED', 'SHOWN_WEBHOOK', 'VERIFY_ENDED', 'POST', 'KEPT_ALL', 'OVER']) {
      assert.match(run.stdout, new RegExp(`^ +\\d+\\.\\d{3} ${kind}\\b`, 'm'));
    }
    assert.equal(run.stdout, simulate('--seed', 7, '--world', 1, '--trace').stdout);
  });

  test('a wrong number is told', () => {
    for (const args of [['--seed', 'x'], ['--deliveries', '-1'], ['--world', '']]) {
      const run = simulate(...args);
      assert.equal(run.status, 2);
      assert.match(run.stderr, /is not a whole number/);
    }
  });
});

describe('the rules hold', () => {
  for (const seed of [1, 2, 3, 4]) {
    test(`seed ${seed}`, () => {
      passes(simulate('--seed', seed, '--deliveries', 40000));
    });
  }

  test('and everything in the table was tried', () => {
    const run = simulate('--seed', 5, '--deliveries', 150000);
    passes(run);
    const tried = [...run.stdout.matchAll(/^tried (\S+ \S+) (\d+)$/gm)];
    assert.ok(tried.length > 50);
    assert.deepEqual(tried.filter(([, , count]) => count === '0').map(([, name]) => name), []);
    for (const end of ['delivered none', 'failed attempts_exhausted', 'failed webhook_degraded', 'failed webhook_unverified',
      'dropped webhook_inactive', 'dropped webhook_deleted']) {
      assert.match(run.stdout, new RegExp(`^ended ${end} [1-9]`, 'm'));
    }
  });
});

describe('worlds that once broke a rule', () => {
  const worlds = [
    [77, 97, 'after a failed commit of calls alone the senders never went on (L2)'],
  ];
  for (const [seed, world, story] of worlds) {
    test(story, () => {
      passes(simulate('--seed', seed, '--world', world));
    });
  }
});
