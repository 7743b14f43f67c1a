/* A store as it is after much work, made by the store's own verbs. */
#ifndef REVHOOK_BENCH_PREPARE_H
#define REVHOOK_BENCH_PREPARE_H

#include "store/store.h"
#include "tools/bench/load.h"

/* The webhooks of a run in a store, by key. */
struct prepared {
    struct store *store;
    const struct load *load;
    int64_t *webhooks; /* load->endpoints keys */
    uint64_t turn;     /* events accepted so far */
};

/* Opens a new store in `folder` and inserts the webhooks, active, verified. False after printing
 * what is wrong. Close with prepare_close in every case. */
bool prepare_open(struct prepared *prepared, const char *folder, const struct load *load,
                  const uint16_t *ports);
void prepare_close(struct prepared *prepared);

/* Between begin and commit: the next event, with a payload of `payload`; its deliveries, one to
 * each webhook of its type, have the keys that follow *first. */
bool prepare_accept(struct prepared *prepared, struct store_bytes payload, int64_t *first);

/* Between begin and commit: this delivery was acknowledged. */
bool prepare_record(struct prepared *prepared, int64_t delivery);

/* Commits, and tends. */
bool prepare_commit(struct prepared *prepared);

/* Fills in what load->rows and load->pending ask for. */
bool prepare_rows(struct prepared *prepared);

#endif
