# SPDX-License-Identifier: MIT

# `cmake --preset deb`, `cmake --build --preset deb`, then `cpack` in build/deb make the packages
# libmlstm0, libmlstm-dev and libmlstm-doc. (The preset is there for the prefix of /usr.)
find_program(MLSTM_GZIP gzip)
mark_as_advanced(MLSTM_GZIP)
if(NOT MLSTM_GZIP)
  return()
endif()
execute_process(COMMAND ${MLSTM_GZIP} -9n
  INPUT_FILE ${PROJECT_SOURCE_DIR}/cmake/debian/changelog
  OUTPUT_FILE ${PROJECT_BINARY_DIR}/changelog.Debian.gz)

# add_package(COMPONENT NAME SECTION SYNOPSIS DESCRIPTION)
macro(add_package component name section synopsis description)
  # Not in a plain installation, which is not a Debian package.
  install(FILES
    ${PROJECT_BINARY_DIR}/changelog.Debian.gz ${PROJECT_SOURCE_DIR}/cmake/debian/copyright
    DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${name} COMPONENT ${component} EXCLUDE_FROM_ALL)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${synopsis}\n${description}")
endmacro()

set(CPACK_COMPONENTS_ALL)
set(about
"libmlstm trains and runs multi-layer LSTMs, from a stable C interface of
opaque handles and plain arrays.
")
set(runtime libmlstm${PROJECT_VERSION_MAJOR})
add_package(runtime ${runtime} libs
  "multi-layer LSTMs on CPUs - shared library"
"${about}
This package has the shared library.")
add_package(development libmlstm-dev libdevel
  "multi-layer LSTMs on CPUs - development files"
"${about}
This package has the headers for C and C++, the static library, and what
CMake and pkg-config need to find them.")
if(MLSTM_BUILD_DOCS)
  add_package(documentation libmlstm-doc doc
    "multi-layer LSTMs on CPUs - documentation"
"${about}
This package has the manual and the tutorials as a web site.")
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libmlstm)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PACKAGE_CONTACT "libmlstm authors <libmlstm@example.org>"
  CACHE STRING "Who answers for the packages")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SOURCE libmlstm)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
# A later library may have functions that an earlier one lacks.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/debian/triggers)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${runtime} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), libc6-dev")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS libmlstm-doc)
set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_ARCHITECTURE all)
include(CPack)
