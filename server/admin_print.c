/* Answers and help of `revhookd admin` for people.
 *
 * Owns: how an object becomes lines and a list becomes a table. Happy path: the columns of the
 * operation in their order, "-" where there is nothing. Failure modes: none; what the answer does
 * not have is not printed. Refuses: colours, and to cut. */
#include "server/admin.h"

#define CELL_BYTES  256
#define COLUMNS_MAX 16

/* A value as text. */
static void write_cell(char cell[CELL_BYTES], const struct json_t *value)
{
    int64_t number;
    size_t used = 0;
    snprintf(cell, CELL_BYTES, "-");
    if (value == NULL)
        return;
    switch (tree_kind(value)) {
    case CANON_STRING:
        if (tree_text(value).bytes > 0)
            snprintf(cell, CELL_BYTES, "%.*s", (int)tree_text(value).bytes, tree_text(value).at);
        break;
    case CANON_NUMBER:
        if (tree_integer(value, &number))
            snprintf(cell, CELL_BYTES, "%lld", (long long)number);
        break;
    case CANON_ARRAY:
        for (size_t i = 0; i < tree_count(value) && used < CELL_BYTES; i++)
            used += (size_t)snprintf(cell + used, CELL_BYTES - used, "%s%s", i > 0 ? "," : "",
                                     tree_text(tree_element(value, i)).at);
        break;
    default: break;
    }
}

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static size_t width_of(const char *cell)
{
    size_t width = 0;
    for (; *cell != 0; cell++)
        width += ((unsigned char)*cell & 0xc0) != 0x80;
    return width;
}

static void print_object(FILE *out, const struct json_t *object, const char *const *columns)
{
    char cell[CELL_BYTES];
    for (; *columns != NULL; columns++) {
        const struct json_t *value = tree_member(object, *columns);
        if (value == NULL)
            continue;
        write_cell(cell, value);
        fprintf(out, "%-14s%s\n", *columns, cell);
        explicit_bzero(cell, sizeof(cell)); /* a token may have stood in it */
    }
}

static void print_row(FILE *out, const struct json_t *row, const char *const *columns,
                      const size_t widths[COLUMNS_MAX])
{
    char cell[CELL_BYTES];
    for (size_t i = 0; columns[i] != NULL; i++) {
        if (row == NULL)
            snprintf(cell, sizeof(cell), "%s", columns[i]);
        else
            write_cell(cell, tree_member(row, columns[i]));
        fprintf(out, "%s%*s", cell,
                columns[i + 1] == NULL ? 0 : (int)(widths[i] - width_of(cell) + 2), "");
    }
    fprintf(out, "\n");
}

static void print_table(FILE *out, const struct json_t *rows, const char *const *columns)
{
    size_t widths[COLUMNS_MAX] = {0};
    char cell[CELL_BYTES];
    for (size_t i = 0; columns[i] != NULL; i++) {
        widths[i] = strlen(columns[i]);
        for (size_t row = 0; row < tree_count(rows); row++) {
            write_cell(cell, tree_member(tree_element(rows, row), columns[i]));
            widths[i] = width_of(cell) > widths[i] ? width_of(cell) : widths[i];
        }
    }
    print_row(out, NULL, columns, widths);
    for (size_t row = 0; row < tree_count(rows); row++)
        print_row(out, tree_element(rows, row), columns, widths);
}

void admin_print(FILE *out, const struct admin_operation *operation, const struct json_t *answer)
{
    const struct json_t *shown = tree_member(answer, operation->shown);
    if (shown != NULL && tree_kind(shown) == CANON_ARRAY)
        print_table(out, shown, operation->columns);
    else if (shown != NULL)
        print_object(out, shown, operation->columns);
}

/* ---- help ---- */

static void print_usage(FILE *out, const struct admin_operation *operation)
{
    fprintf(out, "revhookd admin %s %s", operation->group, operation->verb);
    for (const struct admin_option *at = operation->options; at->name != NULL; at++)
        if (at->plain)
            fprintf(out, " %s", at->value);
        else
            fprintf(out, at->required ? " --%s %s" : " [--%s %s]", at->name, at->value);
    fprintf(out, "\n");
}

static void print_options(FILE *out, const struct admin_operation *operation)
{
    for (const struct admin_option *at = operation->options; at->name != NULL; at++) {
        int bytes = at->plain ? fprintf(out, "  %s", at->value)
                              : fprintf(out, "  --%s %s", at->name, at->value);
        fprintf(out, "%*s%s\n", bytes < 26 ? 26 - bytes : 1, "", at->help);
    }
}

static void print_scopes(FILE *out)
{
    fprintf(out, "\nScopes:\n");
#define X(name, help) fprintf(out, "  %-24s%s\n", #name, help);
#include "../schema/scope.def"
#undef X
}

static void print_common(FILE *out)
{
    fprintf(out,
            "\nWith each of them:\n"
            "  --data DIR, --config FILE, --set KEY=VALUE\n"
            "                          where the service has its data; as for revhookd itself, "
            "REVHOOK_DATA too\n"
            "  --json                  print the answer as JSON\n"
            "  --help                  print what there is to know, and exit\n"
            "\n"
            "A running daemon is asked through admin.sock in its data directory (as its own "
            "user, or root);\n"
            "without one the store is opened here. Exit status: 0 done; 1 refused, or not "
            "possible; 2 wrong\n"
            "option.\n");
}

bool admin_help(FILE *out, const char *group, const char *verb)
{
    bool any = false;
    for (const struct admin_operation *at = admin_operations; at->group != NULL; at++) {
        if ((group != NULL && strcmp(group, at->group) != 0) ||
            (verb != NULL && strcmp(verb, at->verb) != 0))
            continue;
        fprintf(out, any ? "       " : "Usage: ");
        print_usage(out, at);
        if (verb != NULL) {
            fprintf(out, "%c%s.\n\n", at->help[0] - 'a' + 'A', at->help + 1);
            print_options(out, at);
        } else {
            fprintf(out, "           %s\n", at->help);
        }
        any = true;
    }
    if (any && (group == NULL || strcmp(group, "token") == 0))
        print_scopes(out);
    if (any)
        print_common(out);
    return any;
}
