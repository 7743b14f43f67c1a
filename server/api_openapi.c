/* openapi.yaml: the document that describes this very API.
 *
 * Owns: the text of schema/openapi.yaml, which the build puts into the program, so that the service
 * and what it says of itself cannot be of different versions. Happy path: the bytes as they are.
 * Failure modes: none. Refuses: to adapt the text to settings; where a limit is one, the document
 * names its key. */
#include "server/api.h"

#include "openapi.h"

#define YAML_TYPE "application/yaml" /* RFC 9512 */

void openapi_get(struct api *api, struct http_request *request, struct json_t *root)
{
    struct json_out out = {0};
    (void)api, (void)root;
    json_out_bytes(&out, openapi_yaml, sizeof(openapi_yaml) - 1);
    http_answer(request, 200, YAML_TYPE, &out);
}
