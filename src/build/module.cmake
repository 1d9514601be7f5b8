# What a nohalt module is to the build: a static library that names the modules
# it uses. Modules are configured in the order of the root list, so a module
# that is used before it stands in the list does not exist yet: that is the
# upward link which must not be, and configuring stops there.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

find_program(NOHALT_CCACHE ccache)
if(NOHALT_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${NOHALT_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${NOHALT_CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(nohalt_options INTERFACE)
target_include_directories(nohalt_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(nohalt_options INTERFACE
  -Wall -Wextra -Wshadow "$<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Wold-style-cast>" -Wconversion
  $<$<BOOL:${NOHALT_WERROR}>:-Werror>)
if(NOHALT_SANITIZE)
  target_compile_options(nohalt_options INTERFACE -fsanitize=${NOHALT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(nohalt_options INTERFACE -fsanitize=${NOHALT_SANITIZE})
endif()

# Layers from the bottom up. A module may use its own layer and those below.
set(NOHALT_LAYER_base 0)
set(NOHALT_LAYER_policy 1)
set(NOHALT_LAYER_probes 2)
set(NOHALT_LAYER_program 3)

function(nohalt_modules)
  foreach(folder IN LISTS ARGN)
    if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
      add_subdirectory(${PROJECT_SOURCE_DIR}/${folder} ${PROJECT_BINARY_DIR}/modules/${folder})
    endif()
  endforeach()
endfunction()

# nohalt_module(NAME LAYER base|policy|probes|program SOURCES ... [USES module...] [LINKS library...])
# USES are nohalt modules (part of the interface); LINKS are third-party
# libraries (never part of the interface).
function(nohalt_module name)
  cmake_parse_arguments(M "" "LAYER" "SOURCES;USES;LINKS" ${ARGN})
  if(NOT DEFINED NOHALT_LAYER_${M_LAYER})
    message(FATAL_ERROR "module ${name}: unknown layer '${M_LAYER}'")
  endif()
  add_library(nohalt_${name} STATIC ${M_SOURCES})
  set_target_properties(nohalt_${name} PROPERTIES NOHALT_LAYER ${NOHALT_LAYER_${M_LAYER}})
  target_link_libraries(nohalt_${name} PUBLIC nohalt_options)
  foreach(used IN LISTS M_USES)
    if(NOT TARGET nohalt_${used})
      message(FATAL_ERROR "module ${name} uses ${used}, which does not stand above it in the root list")
    endif()
    get_target_property(used_layer nohalt_${used} NOHALT_LAYER)
    if(used_layer GREATER ${NOHALT_LAYER_${M_LAYER}})
      message(FATAL_ERROR "module ${name} (layer ${M_LAYER}) links upward to ${used}")
    endif()
    target_link_libraries(nohalt_${name} PUBLIC nohalt_${used})
  endforeach()
  target_link_libraries(nohalt_${name} PRIVATE ${M_LINKS})
endfunction()

# nohalt_unit_test(NAME SOURCES ... [USES module...] [LINKS library...])
# A GoogleTest program `test_NAME`, registered with ctest under a time-out.
function(nohalt_unit_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;USES;LINKS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_executable(test_${name} ${T_SOURCES})
  target_link_libraries(test_${name} PRIVATE nohalt_options gtest gtest_main Threads::Threads ${T_LINKS})
  foreach(used IN LISTS T_USES)
    target_link_libraries(test_${name} PRIVATE nohalt_${used})
  endforeach()
  add_test(NAME ${name} COMMAND test_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT})
endfunction()
