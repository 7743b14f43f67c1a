// usage: node tests/trace/main.mjs FOLDER
//
// Checks the logs of a run: settings.json, told.log, daemon.log, seen.log and account.log in FOLDER, one JSON object a line.
// Prints what was counted and every violation; exit status 0 only if there is none.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Checker, tell } from './check.mjs';

const CHUNK_BYTES = 1 << 20;

/** The whole lines of a file, one after another, in memory that does not grow with it. */
function* lines(file) {
  const fd = fs.openSync(file, 'r');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest = '';
  try {
    for (let bytes; (bytes = fs.readSync(fd, chunk)) > 0; ) {
      const parts = (rest + chunk.toString('latin1', 0, bytes)).split('\n'); // what is joined is ASCII
      rest = parts.pop();
      yield* parts;
    }
  } finally {
    fs.closeSync(fd);
  }
  if (rest !== '') throw new Error(`${file} ends in the middle of a line: ${rest.slice(0, 200)}`);
}

/** What the daemon logs at level trace and the checker does not use need not be parsed. */
const UNUSED = /"event":"(request|attempt_ended|verify_ended)"/;

export function checkFolder(folder) {
  const checker = new Checker(JSON.parse(fs.readFileSync(path.join(folder, 'settings.json'), 'utf8')));
  for (const log of ['told', 'daemon', 'seen', 'account']) {
    for (const line of lines(path.join(folder, `${log}.log`))) {
      if (log !== 'daemon' || !UNUSED.test(line.slice(0, 80))) checker[log](JSON.parse(line));
    }
  }
  return checker.finish();
}

/** What a run came to, in one line; the first words are what reports quote. */
export function summary({ counts, violationCount }, seed) {
  const c = counts;
  return (
    `cycles ${c.cycles}, events acknowledged ${c.acknowledged}, deliveries ${c.deliveries}, lost ${c.lost}, ` +
    `duplicates ${c.duplicates}${c.duplicates ? ` (${c.duplicatesOfCrashes === c.duplicates ? 'all' : c.duplicatesOfCrashes} overlapped by a crash)` : ''}, ` +
    `violations ${violationCount}, seed ${seed}; POSTs ${c.posts}, retries ${c.retries}, verifies ${c.verifies}, ` +
    `attempts cut off ${c.cut}, delivered ${c.delivered}, failed ${c.failed}, dropped ${c.dropped}, publishes unanswered ${c.unanswered}, refused ${c.refused}`
  );
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.length !== 3) {
    console.error('usage: node tests/trace/main.mjs FOLDER');
    process.exit(2);
  }
  const report = checkFolder(process.argv[2]);
  for (const line of tell(report)) console.log(line);
  console.log(summary(report, JSON.parse(fs.readFileSync(path.join(process.argv[2], 'settings.json'), 'utf8')).seed));
  process.exit(report.violationCount === 0 ? 0 : 1);
}
