// The table of routes as the program has it (server/routes.c), so that a test over all of them cannot miss a new one.
import assert from 'node:assert/strict';
import fs from 'node:fs';

/** The text of a file of the project. */
export const source = (path) => fs.readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const KINDS = { CANON_STRING: 'string', CANON_ARRAY: 'array', CANON_OBJECT: 'object', CANON_NUMBER: 'integer', CANON_BOOL: 'boolean' };

/**
 * Rows {path, methods, scope, rate, virtual, fields}, `scope` being a word of schema/scope.def or null where no token is
 * needed; and the lists of fields by name.
 */
export function routeTable() {
  const text = source('server/routes.c');
  const fields = new Map();
  for (const [, name, body] of text.matchAll(/static const struct tree_field (\w+)\[\] = \{([^]*?)\{0\}/g)) {
    fields.set(name, [...body.matchAll(/\{\.name = "(\w+)"([^}]*)\}/g)].map(([, field, rest]) => {
      const of = (key) => new RegExp(`\\.${key} = (\\w+)`).exec(rest)?.[1];
      return { name: field, type: KINDS[of('kind')], required: of('required') === 'true', element: KINDS[of('element')], fields: of('fields') };
    }));
  }
  const routes = [...text.matchAll(/^ {4}\{(ROUTE_GET|ROUTE_POST|GET_OR_POST),\s*"([^"]+)",\s*(SCOPE_\w+|ROUTE_OPEN),\s*RATE_(\w+),\s*(true|false),\s*(\w+),\s*\w+\},/gm)]
    .map(([, methods, path, scope, rate, virtual, list]) => ({ path, methods: methods === 'GET_OR_POST' ? ['GET', 'POST'] : [methods.slice(6)], scope: scope === 'ROUTE_OPEN' ? null : scope.slice(6), rate, virtual: virtual === 'true', fields: list }));
  assert.equal(routes.length, [...text.matchAll(/"\/[a-z.]+", *(?:SCOPE_|ROUTE_OPEN)/g)].length, 'every row of the table was read');
  return { routes, fields };
}
