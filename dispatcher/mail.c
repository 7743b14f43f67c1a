/* Lists of operations and reports, see mail.h. */
#include "dispatcher/mail.h"

#include <stdlib.h>

struct operation *operations_add(struct operations *operations, enum operation_kind kind)
{
    if (operations->count == operations->capacity) {
        operations->capacity = operations->capacity ? operations->capacity * 2 : 32;
        operations->at =
            hook_grow(operations->at, operations->capacity * sizeof(operations->at[0]));
    }
    struct operation *operation = &operations->at[operations->count++];
    *operation = (struct operation){.kind = kind};
    operations->urgent |= kind == OPERATION_CHANGE || kind == OPERATION_REFILL;
    return operation;
}

struct report *reports_add(struct reports *reports, enum report_kind kind)
{
    if (reports->count == reports->capacity) {
        reports->capacity = reports->capacity ? reports->capacity * 2 : 8;
        reports->at = hook_grow(reports->at, reports->capacity * sizeof(reports->at[0]));
    }
    struct report *report = &reports->at[reports->count++];
    *report = (struct report){.kind = kind};
    return report;
}

static void operation_clear(struct operation *operation)
{
    if (operation->kind == OPERATION_RECORD) {
        free((char *)operation->record.row.attempt.answer.at);
    } else if (operation->kind == OPERATION_CHANGE) {
        free(operation->change.except);
        free(operation->change.user);
        webhook_config_drop(operation->change.config);
    }
}

void operations_free(struct operations *operations)
{
    for (unsigned i = 0; i < operations->count; i++)
        operation_clear(&operations->at[i]);
    free(operations->at);
    free(operations);
}

void reports_free(struct reports *reports)
{
    for (unsigned i = 0; i < reports->count; i++) {
        struct delivery *delivery = reports->at[i].deliveries.head;
        while (delivery) {
            struct delivery *next = delivery->next;
            hook_delivery_free(delivery);
            delivery = next;
        }
        if (reports->at[i].kind == REPORT_WEBHOOK)
            hook_free(reports->at[i].hook);
    }
    free(reports->at);
    free(reports);
}
