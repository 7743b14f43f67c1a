# Writes the samples as C strings in canonical form, so that a program carries them:
#
#     cmake -DFOLDER=schema/sample -DOUT=samples.h -P tools/embed_samples.cmake
#
# makes OUT with `static const char sample_<name>[]` for each <name>.json in FOLDER. The files are JSON as
# JSON.stringify(value, null, 2) writes it: a member or element per line, indented by spaces. Taking the ends of lines, the
# indentation and the space behind a key away leaves the canonical text; a test holds every sample to it. OUT is only touched
# if its text changes.
cmake_policy(VERSION 3.20)
if(NOT (DEFINED FOLDER AND DEFINED OUT))
    message(FATAL_ERROR "embed_samples.cmake: FOLDER and OUT must be given")
endif()

set(rows "")
file(GLOB samples "${FOLDER}/*.json")
list(SORT samples)
foreach(sample IN LISTS samples)
    get_filename_component(name "${sample}" NAME_WE)
    file(READ "${sample}" text)
    string(REGEX REPLACE "\n *(\"[^\"\n]*\"): " "\\1:" text "${text}")
    string(REGEX REPLACE "\n *" "" text "${text}")
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(APPEND rows "static const char sample_${name}[] =\n    \"${text}\";\n")
endforeach()
file(CONFIGURE OUTPUT "${OUT}" @ONLY CONTENT "/* Made from schema/sample/ by tools/embed_samples.cmake. */\n@rows@")
