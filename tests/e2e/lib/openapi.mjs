// schema/openapi.yaml for tests: its operations, its schemas as validators, and the judgement whether an answer of the
// service is one that the document promises.
import assert from 'node:assert/strict';
import fs from 'node:fs';

const FILE = new URL('../../../schema/openapi.yaml', import.meta.url);

/** Headers that any answer has. */
const EVERYWHERE = new Set(['date', 'connection', 'content-length', 'server', 'content-type']);

/** The parser and validator, or null where they are not installed. */
export async function libraries() {
  try {
    const [yaml, { default: Ajv }, { default: formats }] = await Promise.all([import('yaml'), import('ajv/dist/2019.js'), import('ajv-formats')]);
    return { parse: yaml.parse, Ajv, formats };
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return null;
  }
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

const mapValues = (object, fn) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, fn(value, key)]));

export class Document {
  constructor({ parse, Ajv, formats }) {
    this.text = fs.readFileSync(FILE, 'utf8');
    this.root = parse(this.text);
    this.ajv = new Ajv({ strict: false, validateFormats: true });
    formats(this.ajv);
    this.ajv.addFormat('id', true);
    const { schemas } = this.root.components;
    this.ajv.addSchema({ components: { schemas } }, 'open');
    this.ajv.addSchema({ components: { schemas: mapValues(schemas, (schema, name) => (isPayload(name) ? schema : this.inner(schema))) } }, 'closed');
    this.validators = new Map();
    this.operations = [...this.readOperations()];
  }

  /** What a $ref stands for, or the value itself. */
  resolve(value) {
    if (!isObject(value) || value.$ref === undefined) return value;
    const found = value.$ref.replace(/^#\//, '').split('/').reduce((at, key) => at?.[key.replaceAll('~1', '/')], this.root);
    assert.ok(found !== undefined, `${value.$ref} names something`);
    return this.resolve(found);
  }

  // ------------------------------------------------------------------ schemas

  /** A schema whose members and elements admit no other fields than those described; its own are left to where it is used. */
  inner(schema) {
    if (!isObject(schema)) return schema;
    const out = { ...schema };
    if (out.properties) out.properties = mapValues(out.properties, (member) => this.closed(member));
    if (out.items) out.items = this.closed(out.items);
    for (const key of ['allOf', 'anyOf', 'oneOf']) if (out[key]) out[key] = out[key].map((part) => this.inner(part));
    return out;
  }

  closed(schema) {
    if (schema.$ref && isPayload(schema.$ref.split('/').pop())) return schema;
    const { type, allOf, oneOf } = this.resolve(schema);
    return type === 'object' || ((allOf || oneOf) && type === undefined) ? { ...this.inner(schema), unevaluatedProperties: false } : this.inner(schema);
  }

  /** A validator: `strict` ones refuse fields that the schema does not have, but for payloads, which are open. */
  validator(schema, strict = false) {
    const wanted = strict ? this.closed(schema) : schema;
    const key = JSON.stringify([strict, wanted]);
    if (!this.validators.has(key)) {
      const base = strict ? 'closed' : 'open';
      this.validators.set(key, this.ajv.compile(JSON.parse(JSON.stringify(wanted).replaceAll('"$ref":"#/', `"$ref":"${base}#/`))));
    }
    return this.validators.get(key);
  }

  isValid(schema, value) {
    return this.validator(schema)(value);
  }

  assertValid(schema, value, what, strict = false) {
    const validate = this.validator(schema, strict);
    if (!validate(value)) assert.fail(`${what}: ${this.ajv.errorsText(validate.errors)} in ${JSON.stringify(value).slice(0, 1500)}`);
  }

  schema(name) {
    return this.resolve({ $ref: `#/components/schemas/${name}` });
  }

  // ------------------------------------------------------------------ operations

  *readOperations() {
    for (const [path, item] of Object.entries(this.root.paths)) {
      for (const [method, value] of Object.entries(item)) yield this.operation(path, method.toUpperCase(), value);
    }
  }

  operation(path, method, value) {
    const parameters = (value.parameters ?? []).map((parameter) => this.resolve(parameter));
    const content = value.requestBody?.content['application/json'];
    return {
      path,
      method,
      name: `${method} ${path}`,
      value,
      query: parameters.filter((p) => p.in === 'query'),
      headers: parameters.filter((p) => p.in === 'header'),
      body: content && { schema: content.schema, required: value.requestBody.required === true, examples: mapValues(content.examples ?? {}, (e) => this.resolve(e)) },
      needsToken: (value.security ?? this.root.security).length > 0 && !(value.security ?? []).some((s) => Object.keys(s).length === 0),
      scope: value['x-revhook-scope'],
      responses: mapValues(value.responses, (response) => this.response(response)),
      callbacks: value.callbacks ?? {},
    };
  }

  response(value) {
    const response = this.resolve(value);
    return { ...response, headers: mapValues(response.headers ?? {}, (h) => this.resolve(h)), content: mapValues(response.content ?? {}, (c) => ({ schema: c.schema, examples: mapValues(c.examples ?? {}, (e) => this.resolve(e)) })) };
  }

  /** A response of the components. */
  fallback(name) {
    return this.response({ $ref: `#/components/responses/${name}` });
  }

  /** Every example of an answer of an operation. */
  *answers(operation) {
    for (const [status, response] of Object.entries(operation.responses)) {
      for (const [type, { schema, examples }] of Object.entries(response.content)) {
        for (const [key, example] of Object.entries(examples)) yield { status: Number(status), type, schema, key, example };
      }
    }
  }

  // ------------------------------------------------------------------ judging answers

  /** Asserts that an answer is one that this operation may give. `what` tells the request. */
  assertDocumented(operation, res, what) {
    const told = `${operation.name} ${what}: ${res.status} ${res.text.slice(0, 600)}`;
    const response = operation.responses[res.status];
    assert.ok(response, `the status is documented; ${told}`);
    this.assertResponse(response, res, told);
    const type = res.status >= 400 ? res.body.type : undefined;
    if (type === undefined) return;
    const types = Object.values(response.content['application/json'].examples).map((e) => e.value.type);
    assert.ok(types.includes(type), `${operation.name} has an example of ${type}; ${told}`);
  }

  assertResponse(response, res, told) {
    const type = res.headers['content-type'];
    const content = response.content[type];
    assert.ok(content, `the content type is documented; ${type}, ${told}`);
    this.assertValid(content.schema, type === 'application/json' ? res.body : res.text, told, true);
    const documented = mapValues(response.headers, (header) => header);
    for (const [name, header] of Object.entries(documented)) {
      const value = res.headers[name.toLowerCase()];
      assert.ok(value !== undefined || !header.required, `the header ${name} is there; ${told}`);
      if (value !== undefined) this.assertValid(header.schema, value, `header ${name}; ${told}`);
    }
    const names = Object.keys(documented).map((name) => name.toLowerCase());
    for (const name of Object.keys(res.headers)) {
      assert.ok(EVERYWHERE.has(name) || names.includes(name), `the header ${name} is documented; ${told}`);
    }
  }
}

/** Payloads are open: receivers get what was published. */
function isPayload(name) {
  return /^object-/.test(name) || (/^event-/.test(name) && !['event-summary', 'event-payloads', 'event-to-publish', 'event-id'].includes(name));
}

/** The keys of a value, all the way down; of an array, those of its first element. */
export function shape(value) {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  return isObject(value) ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, shape(value[key])])) : undefined;
}
