# Adds build/bin/<name>, made of what follows, on demand: a fuzz target, for
# which it takes clang.
function(sks_add_fuzz_target name)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    return()
  endif()
  add_executable(${name} EXCLUDE_FROM_ALL ${ARGN})
  sks_configure(${name})
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()
