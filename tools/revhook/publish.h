/*
 * publish.h - what `revhook trigger` takes from `revhook publish`.
 */
#ifndef REVHOOK_PUBLISH_H
#define REVHOOK_PUBLISH_H

#include "jsontext.h"
#include "revhook.h"

/* Publishes an object, which is sent as it is, as `count` events of a type (a word of letters,
 * digits and _), and prints a line for each as `revhook publish` does. Returns the exit status. */
int publish_object(const struct cli *cli, const char *type, struct span object, long count);

#endif
