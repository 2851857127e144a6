# SPDX-License-Identifier: MIT

# What every target of this project is compiled with; nothing of it reaches users of the library.
add_library(mlstm_compiler INTERFACE)

target_compile_options(mlstm_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)
if(MLSTM_WARNINGS_AS_ERRORS)
  target_compile_options(mlstm_compiler INTERFACE -Werror)
endif()

# Where the sources lie must not show in what is built from them.
target_compile_options(mlstm_compiler INTERFACE
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${PROJECT_BINARY_DIR}=.>)

if(MLSTM_SANITIZE)
  target_compile_options(mlstm_compiler INTERFACE
    -fsanitize=${MLSTM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(mlstm_compiler INTERFACE -fsanitize=${MLSTM_SANITIZE})
endif()
