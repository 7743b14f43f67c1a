# Writes a file as a C array, so that a program carries it:
#
#     cmake -DIN=schema/sqlite_0001.sql -DOUT=sqlite_0001.h -DNAME=sqlite_0001_sql -P tools/embed.cmake
#
# makes OUT with `static const char NAME[]`, the bytes of IN and a final zero. OUT is only touched if its text changes.
cmake_policy(VERSION 3.20)
if(NOT (DEFINED IN AND DEFINED OUT AND DEFINED NAME))
    message(FATAL_ERROR "embed.cmake: IN, OUT and NAME must be given")
endif()

file(READ "${IN}" hex HEX)
string(REGEX MATCHALL "...?.?.?.?.?.?.?.?.?.?.?.?.?.?.?.?.?.?.?.?.?.?" lines "${hex}")
set(rows "")
foreach(line IN LISTS lines)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," row "${line}")
    string(APPEND rows "    ${row}\n")
endforeach()
get_filename_component(source "${IN}" NAME)
file(CONFIGURE OUTPUT "${OUT}" @ONLY
     CONTENT "/* Made from @source@ by tools/embed.cmake. */\nstatic const char @NAME@[] = {\n@rows@    0x00};\n")
