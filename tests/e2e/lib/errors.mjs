// What an error answer must look like: one flat object, `message` (the reason phrase of its status) first, then
// `type`, then what belongs to that type. `detail` is free text and may stand anywhere.
import assert from 'node:assert/strict';
import http from 'node:http';

/** Reason phrases that a status had in other editions of HTTP. */
const OTHER_PHRASES = { 413: ['Request Entity Too Large', 'Content Too Large'] };

/** An expected value may be exact, a RegExp, or a predicate. */
function matches(seen, expected) {
  if (expected instanceof RegExp) return typeof seen === 'string' && expected.test(seen);
  if (typeof expected === 'function') return Boolean(expected(seen));
  try {
    assert.deepEqual(seen, expected);
    return true;
  } catch {
    return false;
  }
}

/**
 * Assert an error answer exactly. `fields` are those beyond message and type; no other may be there but `detail`,
 * and the optional ones of its type (reason, allowed_values, pattern, allowed_types), which are only looked at when
 * they are named here.
 */
export function assertError(res, status, type, fields = {}, what = '') {
  const told = `${what ? `${what}: ` : ''}expected ${status} ${type} ${show(fields)}, saw ${res.status} ${res.text.slice(0, 900)}`;
  assert.equal(res.status, status, told);
  assert.match(res.headers['content-type'] ?? '', /^application\/json/, `content type; ${told}`);
  assert.ok(res.body && typeof res.body === 'object' && !Array.isArray(res.body), `an object; ${told}`);
  const { detail, ...body } = res.body;
  if (detail !== undefined) assert.equal(typeof detail, 'string', `detail is text; ${told}`);
  assert.deepEqual(Object.keys(body).slice(0, 2), ['message', 'type'], `message and type come first; ${told}`);
  const phrases = [http.STATUS_CODES[status], ...(OTHER_PHRASES[status] ?? [])];
  assert.ok(phrases.includes(body.message), `message is the reason phrase; ${told}`);
  assert.equal(body.type, type, told);
  if (status === 429 || status === 503) assert.match(res.headers['retry-after'] ?? '', /^[1-9]\d*$/, `Retry-After says when to come again; ${told}`);
  for (const [key, expected] of Object.entries(fields)) {
    assert.ok(matches(body[key], expected), `${key} is ${JSON.stringify(body[key])?.slice(0, 300)}; ${told}`);
  }
  const optional = ['reason', 'allowed_values', 'pattern', 'allowed_types'];
  const extra = Object.keys(body).filter((k) => !['message', 'type', ...Object.keys(fields), ...optional].includes(k));
  assert.deepEqual(extra, [], `no other field; ${told}`);
}

function show(fields) {
  return JSON.stringify(fields, (_, v) => (v instanceof RegExp || typeof v === 'function' ? String(v) : v)).slice(0, 300);
}

/** Text that says why. */
export const REASON = (seen) => typeof seen === 'string' && seen.length > 3;
