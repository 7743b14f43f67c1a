// canon_node.mjs - canonical JSON against JSON.stringify(JSON.parse(x)) on generated input.
//
// Canonical text promises to be what JSON.stringify prints wherever that keeps the exact decimal
// value of every number. The generator below makes documents that contain everything at once; the
// expectation is computed from JavaScript's own parser and printer, plus an exact comparison of
// decimals with BigInt that decides which numbers have to stay byte for byte.
//
// The filter program is taken from CANON_FILTER, or compiled into a temporary folder.
// The seed is printed first; CANON_SEED repeats a run.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const seed = Number(process.env.CANON_SEED ?? (Date.now() & 0x7fffffff));
console.log(`CANON_SEED=${seed}`);

let state = seed >>> 0;
/** A 32-bit number from a small generator (xorshift on a counter), so that a seed repeats a run. */
function random32() {
  state = (state + 0x6d2b79f5) >>> 0;
  let x = Math.imul(state ^ (state >>> 15), 1 | state);
  x ^= x + Math.imul(x ^ (x >>> 7), 61 | x);
  return (x ^ (x >>> 14)) >>> 0;
}
const below = (n) => random32() % n;
const pick = (list) => list[below(list.length)];
const chance = (percent) => below(100) < percent;

let filter = process.env.CANON_FILTER;
let folder;

before(() => {
  if (filter) return;
  folder = mkdtempSync(path.join(tmpdir(), 'canon-'));
  filter = path.join(folder, 'canon_filter');
  const core = ['canon', 'canon_keys', 'canon_number', 'canon_string'].map((name) =>
    path.join(root, 'dispatcher/core', `${name}.c`));
  execFileSync(process.env.CC ?? 'cc', ['-std=gnu11', '-O2', '-D_GNU_SOURCE',
    `-I${path.join(root, 'dispatcher')}`, '-o', filter,
    path.join(root, 'tests/core/canon_filter.c'), ...core]);
});
after(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function canonical(lines) {
  const result = spawnSync(filter, { input: lines.join('\n') + '\n', maxBuffer: 1 << 30 });
  assert.equal(result.status, 0);
  const out = result.stdout.toString('utf8').split('\n');
  assert.equal(out.pop(), '');
  assert.equal(out.length, lines.length);
  return out;
}

/** [digits, exponent] of a decimal, without zeros at either end, so that equal values are equal. */
function decimal(text) {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  let digits = (whole + fraction).replace(/^0+/, '');
  let power = BigInt(exponent) - BigInt(fraction.length);
  const stripped = digits.replace(/0+$/, '');
  power += BigInt(digits.length - stripped.length);
  return stripped === '' ? `${sign}0` : `${sign}${stripped}e${power}`;
}

function expectedNumber(text) {
  const printed = JSON.stringify(JSON.parse(text));
  return printed !== 'null' && decimal(printed) === decimal(text) ? printed : text;
}

function digitString(length) {
  let text = String(1 + below(9));
  while (text.length < length) text += below(10);
  return text;
}

const float = new DataView(new ArrayBuffer(8));
function randomDouble() {
  for (;;) {
    float.setUint32(0, random32());
    float.setUint32(4, random32());
    const x = float.getFloat64(0);
    if (Number.isFinite(x)) return x;
  }
}

/** Moves the last digit of a decimal by one, so that it just fails to be the shortest. */
function nudge(text) {
  const at = text.search(/\d(?=e|$)/);
  const digit = Number(text[at]);
  return text.slice(0, at) + (digit === 9 ? 8 : digit + 1) + text.slice(at + 1);
}

/** The same value written in another way. */
function respell(text) {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const power = Number(exponent);
  switch (below(5)) {
    case 0: return `${sign}${whole}.${fraction}${'0'.repeat(1 + below(5))}e${power}`;
    case 1: {
      const digits = (whole + fraction).replace(/^0+(?=\d)/, '');
      return `${sign}${digits}${pick(['e', 'E'])}${power - fraction.length}`;
    }
    case 2: return `${sign}0.${'0'.repeat(below(8))}${whole}${fraction}e${power}`;
    case 3: return `${sign}${whole}${fraction ? '.' + fraction : ''}E${power < 0 ? '-' : '+'}00${Math.abs(power)}`;
    default: return text;
  }
}

function numberText() {
  const sign = chance(25) ? '-' : '';
  switch (below(12)) {
    case 0: return sign + below(1000);
    case 1: return sign + digitString(1 + below(22));
    case 2: return sign + digitString(1 + below(17)) + '.' + digitString(1 + below(18));
    case 3: return `${sign}${digitString(1 + below(18))}${pick(['e', 'E'])}${pick(['', '+', '-'])}${below(330)}`;
    case 4: return respell(String(randomDouble()));
    case 5: return nudge(String(randomDouble()));
    case 6: return randomDouble().toExponential(16);
    case 7: return randomDouble().toExponential(15);
    case 8: { // powers of two, where the doubles below are closer together than those above
      const x = 2 ** (below(2098) - 1074);
      return pick([String(x), x.toExponential(16), x.toExponential(15), nudge(String(x)),
        nudge(x.toExponential(15)), nudge(x.toExponential(16)), respell(String(x))]);
    }
    case 9: return sign + pick(['0', '0.0', '0e1', '0.00E-9', '1e21', '1e-7', '123456789012345680000',
      '1e308', '1.7976931348623157e308', '1.7976931348623159e308', '5e-324', '2e-324', '3e-324',
      '4.9e-324', '2.2250738585072014e-308', '2.225073858507201e-308', '9007199254740993']);
    case 10: { // subnormal and nearly so
      float.setUint32(0, below(0x00200000));
      float.setUint32(4, random32());
      const x = float.getFloat64(0);
      return pick([String(x), x.toExponential(below(17)), nudge(String(x))]);
    }
    default: { // halves between two decimals of 17 digits, and other exact fractions
      const whole = 2 ** (44 + below(9)) + below(2 ** 31);
      return pick([String(whole + below(64) / 64), `${whole}.${pick(['5', '25', '75', '2', '3', '7', '8', '125', '375'])}`]);
    }
  }
}

const letters = ['a', 'Z', '0', ' ', '/', '<', '&', "'", '\u007f', '\u00e9', '\u0439', '\u2028',
  '\u2029', '\ufeff', '\uffff', '\u{1f600}', '\u{10ffff}', '\u0000', '\u001f', '\b', '\t', '\n',
  '\f', '\r', '"', '\\', '\u0080', '\ud7ff', '\ue000'];

function hex4(unit) {
  const text = unit.toString(16).padStart(4, '0');
  return '\\u' + (chance(50) ? text : text.toUpperCase());
}

/** One of the ways to write a character in JSON text. */
function spell(character) {
  const short = { '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '"': '\\"', '\\': '\\\\' };
  if (chance(30)) return [...Array(character.length).keys()].map((i) => hex4(character.charCodeAt(i))).join('');
  if (character === '/' && chance(50)) return '\\/';
  if (short[character]) return short[character];
  return character < ' ' ? hex4(character.charCodeAt(0)) : character;
}

function stringText() {
  let text = '"';
  for (let n = chance(80) ? below(12) : below(80); n > 0; n--) {
    text += chance(60) ? String.fromCharCode(0x61 + below(26)) : spell(pick(letters));
  }
  return text + '"';
}

const space = () => (chance(85) ? '' : pick([' ', '\t', '\r', '  ', ' \t\r ']));

/** JSON text and the canonical text it must become. */
function document(depth) {
  const kind = below(depth > 0 ? 9 : 6);
  if (kind < 2) {
    const text = stringText();
    return [text, JSON.stringify(JSON.parse(text))];
  }
  if (kind < 4) {
    const text = numberText();
    return [text, expectedNumber(text)];
  }
  if (kind < 6) {
    const text = pick(['true', 'false', 'null']);
    return [text, text];
  }
  const texts = [];
  const wants = [];
  const keys = new Set();
  const object = kind !== 6;
  for (let n = chance(95) ? below(6) : below(90); n > 0; n--) {
    const [text, want] = document(depth - 1);
    if (!object) {
      texts.push(text);
      wants.push(want);
      continue;
    }
    const key = stringText();
    if (keys.has(JSON.parse(key))) continue;
    keys.add(JSON.parse(key));
    texts.push(key + space() + ':' + space() + text);
    wants.push(JSON.stringify(JSON.parse(key)) + ':' + want);
  }
  const inner = texts.map((text) => space() + text + space()).join(',') || space();
  return object ? [`{${inner}}`, `{${wants.join(',')}}`] : [`[${inner}]`, `[${wants.join(',')}]`];
}

function compare(pairs) {
  const got = canonical(pairs.map(([text]) => text));
  pairs.forEach(([text, want], i) => {
    if (got[i] !== want) assert.fail(`${text}\n became ${got[i]}\n but not ${want}`);
  });
  return got;
}

test('numbers are what JSON.stringify prints if the value is the same', () => {
  const pairs = [];
  for (let i = 0; i < 60000; i++) {
    const text = numberText();
    pairs.push([text, expectedNumber(text)]);
  }
  for (let power = -1074; power < 1024; power++) { // every power of two and its neighbours
    for (const x of [2 ** power, 2 ** power * (1 + Number.EPSILON), 2 ** power * (1 - Number.EPSILON / 2)]) {
      for (const text of [String(x), x.toExponential(15), x.toExponential(16), nudge(x.toExponential(15))]) {
        pairs.push([text, expectedNumber(text)]);
      }
    }
  }
  compare(pairs);
  const rewritten = pairs.filter(([text, want]) => text !== want).length;
  assert.ok(rewritten > 10000 && rewritten < pairs.length - 10000, `${rewritten} rewritten`);
});

test('strings are what JSON.stringify prints', () => {
  const pairs = [];
  for (let i = 0; i < 20000; i++) {
    const text = stringText();
    pairs.push([text, JSON.stringify(JSON.parse(text))]);
  }
  for (let code = 0; code <= 0xffff; code++) { // every character that one escape can name
    const text = `"${hex4(code)}"`;
    if (code < 0xd800 || code > 0xdfff) pairs.push([text, JSON.stringify(JSON.parse(text))]);
  }
  compare(pairs);
});

test('documents keep order and lose only white space', () => {
  const pairs = [];
  for (let i = 0; i < 10000; i++) {
    const [text, want] = document(5);
    pairs.push([space() + text + space(), want]);
  }
  compare(pairs);
});

test('canonical text is stable under JSON.parse and JSON.stringify where that is promised', () => {
  const texts = [];
  for (let i = 0; i < 5000; i++) texts.push(document(5)[0]);
  for (const text of canonical(texts)) {
    const numbers = text.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/-?\d[\d.eE+-]*/g) ?? [];
    const promised = numbers.every((n) => JSON.stringify(JSON.parse(n)) === n) &&
      !/"\d+":/.test(text) && !/"__proto__":/.test(text);
    if (promised) assert.equal(JSON.stringify(JSON.parse(text)), text);
  }
});

test('what JSON.parse refuses is refused', () => {
  const texts = [];
  while (texts.length < 20000) { // a valid document with one or two bytes changed
    let text = document(3)[0].replace(/\n/g, ' ');
    for (let n = 1 + below(2); n > 0; n--) {
      const at = below(text.length + 1);
      const put = pick(['', '"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', 'u', ' ', 'x', '\u0001']);
      text = text.slice(0, at) + put + text.slice(at + below(2));
    }
    texts.push(Buffer.from(text).toString()); // half a surrogate pair cannot be written as UTF-8
  }
  const got = canonical(texts);
  let accepted = 0;
  texts.forEach((text, i) => {
    let parsed = true;
    try {
      JSON.parse(text);
    } catch {
      parsed = false;
    }
    const error = got[i].startsWith('!') ? got[i] : '';
    if (!parsed) {
      assert.notEqual(error, '', `${text} became ${got[i]}`);
    } else if (error) { // only what JavaScript lets pass and canonical JSON does not
      assert.match(error, /surrogate|same key/, `${text}: ${error}`);
    } else {
      accepted++;
    }
  });
  assert.ok(accepted > 1000 && accepted < 19000, `${accepted} accepted`);
});
