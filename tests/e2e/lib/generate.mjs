// Requests out of thin air: values that fit a JSON schema, values that do not, and queries. Everything follows from one seed.

/** A generator of numbers in [0, 1) that only the seed decides (mulberry32). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Stands for a number that JSON.stringify cannot write; see `write`. */
class RawNumber {
  constructor(text) {
    this.text = text;
  }

  toJSON() {
    return `\u0001raw:${this.text}\u0001`;
  }
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof RawNumber);

/** The JSON text of a value with raw numbers in it. */
export function write(value) {
  return JSON.stringify(value).replace(/"\\u0001raw:(.*?)\\u0001"/g, '$1');
}

const STRANGE = [
  '', ' ', 'x', 'null', '\u0000', 'a\u0000b', '\t', '\n', '\u007f', '"', '\\', '\ud800', 'a\udfffb', '\ufeff', '\ufffe', '\u2028', 'é', 'e\u0301', 'ß', '💥',
  '👩‍👩‍👧‍👦', '\u202eabc', 'Ω'.repeat(40), '💥'.repeat(70), 'x'.repeat(127), 'x'.repeat(128), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(2049), 'é'.repeat(4097), 'x'.repeat(70000),
  '%s%n', "' OR 1=1 --", '../../etc', '<script>', '0', '-1', '1e400', 'true', 'don:', 'don:integration:dvrv-us-1:devo/dev0', 'webhook-1jGzMh1N', '__proto__', 'toString',
  'don:integration:dvrv-us-1:devo/dev0:webhook/', 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz', 'don:integration:dvrv-us-1:devo/other:webhook/zzzzzzzz',
  'don:integration:dvrv-eu-1:devo/dev0:event/zzzzzzzzzzzzzz', 'don:integration:dvrv-us-1:devo/dev0:event/zz', 'don:core:dvrv-us-1:devo/dev0:issue/1',
  'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz:delivery/00000001000000', 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz:webhook_event/00000001000000',
  'don:integration:dvrv-us-1:devo/dev0:webhook/' + 'z'.repeat(300), 'DON:INTEGRATION:dvrv-us-1:devo/dev0:webhook/zzzzzzzz',
];

const NUMBERS = [0, -1, 1, 2, 99, 100, 101, 0.5, 1.0000000001, -0, 1e21, 1e300, -1e300, 5e-324, 2 ** 31, 2 ** 53, -(2 ** 53), 2 ** 63, 315360000001]
  .concat(['1e400', '-1e400', '-0', '1E2', '1.0', '123456789012345678901234567890', '9223372036854775808'].map((text) => new RawNumber(text)));

const NAMES = ['colour', '', 'ID', 'id ', 'url', 'é', '💥', 'a\u0000b', 'x'.repeat(200), '__proto__x', 'constructor', 'events', 'type', 'limit', 'cursor'];

export class Generator {
  /** `known` gives values for schemas by name: {name: (random) => value}. */
  constructor(document, random, known = {}) {
    this.document = document;
    this.random = random;
    this.known = known;
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  chance(p) {
    return this.random() < p;
  }

  // ------------------------------------------------------------------ values that fit

  /** A value that fits; where the rule is a pattern, `known` must have it. */
  valid(schema, depth = 0) {
    const name = schema.$ref?.split('/').pop();
    if (this.known[name]) return this.known[name](this);
    const real = this.document.resolve(schema);
    if (real.nullable && this.chance(0.2)) return null;
    if (real.enum) return this.pick(real.enum.filter((word) => word !== null));
    if (real.oneOf ?? (real.anyOf && real.type === undefined)) return this.valid(this.pick(real.oneOf ?? real.anyOf), depth);
    if (real.type === undefined && real.allOf) return Object.assign({}, ...real.allOf.map((part) => this.valid(part, depth)));
    return this.ofType(real, depth);
  }

  ofType(schema, depth) {
    switch (schema.type) {
      case 'object':
        return this.object(schema, depth);
      case 'array': {
        const least = schema.minItems ?? 0;
        const count = least + this.below(Math.min(schema.maxItems ?? 4, 4) - least + 1);
        return Array.from({ length: count }, () => this.valid(schema.items, depth + 1));
      }
      case 'string':
        return this.string(schema);
      case 'boolean':
        return this.chance(0.5);
      case 'integer':
      case 'number':
        return this.pick([schema.minimum ?? 0, schema.maximum ?? 1000, (schema.minimum ?? 0) + this.below(Math.min(1000, (schema.maximum ?? 1000) - (schema.minimum ?? 0)) + 1)]);
      default:
        return this.pick([null, true, 1, 'text', [], {}]);
    }
  }

  object(schema, depth) {
    const out = {};
    const names = Object.keys(schema.properties ?? {});
    if (schema.maxProperties !== undefined) return { [names[0]]: this.valid(schema.properties[names[0]], depth + 1) };
    for (const name of names) {
      if (schema.required?.includes(name) || this.chance(0.5)) out[name] = this.valid(schema.properties[name], depth + 1);
    }
    return out;
  }

  string(schema) {
    const least = schema.minLength ?? 0;
    const most = Math.min(schema.maxLength ?? 40, 40);
    const length = this.chance(0.2) ? least : least + this.below(most - least + 1);
    return Array.from({ length }, () => 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'[this.below(62)]).join('');
  }

  // ------------------------------------------------------------------ values that perhaps do not

  anything() {
    return this.pick([() => null, () => true, () => false, () => this.pick(NUMBERS), () => this.pick(STRANGE), () => [], () => [null], () => ({}), () => ({ id: 1 }), () => [[[]]]])();
  }

  /** Every place of a value that can be changed, as [holder, key]. */
  places(value, found = []) {
    if (Array.isArray(value) || isObject(value)) {
      for (const key of Object.keys(value)) {
        found.push([value, key]);
        this.places(value[key], found);
      }
    }
    return found;
  }

  /** A copy of a value with one thing changed. */
  mutated(value) {
    const root = { value: structuredClone(value) };
    const places = this.places(root);
    const [holder, key] = this.pick(places);
    const at = holder[key];
    const change = this.below(9);
    if (change === 0) holder[key] = null;
    else if (change === 1 && holder !== root) Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key];
    else if (change === 2 && typeof at === 'string') holder[key] = this.pick(STRANGE);
    else if (change === 3 && typeof at === 'string') holder[key] = this.pick([at.slice(1), at.slice(0, -1), at + 'x', at.toUpperCase(), ` ${at}`, at + at]);
    else if (change === 4 && typeof at === 'number') holder[key] = this.pick(NUMBERS);
    else if (change === 5 && Array.isArray(at)) holder[key] = this.pick([[], [...at, ...at], Array(9).fill(at[0] ?? 'x'), Array(1001).fill(at[0] ?? 'x'), [...at, this.anything()]]);
    else if (change <= 7 && isObject(at)) at[this.pick(NAMES)] = this.anything();
    else holder[key] = this.anything();
    return root.value;
  }

  /** A body that is, most of the time, no JSON that is accepted. */
  damaged(text) {
    return this.pick([
      () => text.slice(0, this.below(text.length)),
      () => text + this.pick(['}', ' x', '\u0000', ',', text]),
      () => `\ufeff${text}`,
      () => text.replace('{', '{"colour":1,"colour":2,'),
      () => text.replace('{', '{"a\\ud800":1,'),
      () => text.replace(/"/g, "'"),
      () => '['.repeat(100),
      () => `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`,
      () => `${'['.repeat(64)}${']'.repeat(64)}`,
      () => Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from('"}')]),
      () => Buffer.from([this.below(256)]),
      () => 'NaN',
      () => `/* */${text}`,
      () => text.replace(/:/g, '::'),
    ])();
  }

  // ------------------------------------------------------------------ queries

  /** The query of these fields in one of the forms that clients send; `strange` ones may be broken. */
  query(fields, strange) {
    const pairs = [];
    for (const [name, value] of Object.entries(fields)) {
      const encode = this.pick([encodeURIComponent, (text) => encodeURIComponent(text).replaceAll('%3A', ':'), (text) => encodeURIComponent(text).replaceAll('%2F', '/')]);
      if (!Array.isArray(value)) pairs.push(`${name}=${encode(String(value))}`);
      else if (value.length > 0) pairs.push(...this.list(name, value.map((element) => encode(String(element)))));
    }
    if (strange) {
      const extra = this.pick([
        'colour=red', '=', '&', '&&', '%', 'id=%', 'id=%zz', 'limit=%31%30', 'limit=1&limit=2', 'limit=', 'limit=1e3', 'limit=-5', 'limit=00000000000000000001', 'limit=99999999999999999999',
        'id', 'id=', 'status', 'status=', 'status[]=active', 'status%5B%5D=', 'status[0]=active', 'id=%00', 'id=%F0%9F%92%A5', 'id=%FF', 'id=%C0%80', '%FF=1', '%00=1', 'id=a+b', 'state=+held',
        'type=verify', 'cursor=', `cursor=${'z'.repeat(14)}`, `id=${'x'.repeat(3000)}`, `${'x'.repeat(300)}=1`, 'a=1&'.repeat(300), 'status=' + 'active,'.repeat(200), 'x[]=1', '[]=1', '%5B%5D', "status='active'", 'status="active', '?id=1', '#',
      ]);
      pairs.splice(this.below(pairs.length + 1), 0, extra);
    }
    return pairs.join('&').replaceAll('#', '%23');
  }

  list(name, words) {
    return this.pick([
      () => [`${name}=${words.join(',')}`],
      () => [`${name}=${words.join('%2C')}`],
      () => [`${name}=${words.map((word) => `%22${word}%22`).join(',')}`],
      () => words.map((word) => `${name}=${word}`),
      () => words.map((word) => `${name}[]=${word}`),
      () => words.map((word) => `${name}%5B%5D=${word}`),
    ])();
  }
}
